"""Drive an installed Firefox by WebDriver BiDi; Playwright knows only builds of its own."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from typing import Any

import websocket


class Firefox:
    """One window of a Firefox without a screen."""

    def __init__(self, executable: str) -> None:
        self.profile = tempfile.TemporaryDirectory()
        command = [executable, "--headless", "--no-remote", "--profile", self.profile.name]
        command += ["--remote-debugging-port", "0"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr
        told = (re.search(r"BiDi listening on (ws://\S+)", line) for line in self.process.stderr)
        address = next(match[1] for match in told if match)
        self.socket = websocket.create_connection(
            f"{address}/session", timeout=120, suppress_origin=True
        )
        self.asked = 0
        self.console: list[str] = []
        self.send("session.new", capabilities={})
        self.send("session.subscribe", events=["log.entryAdded"])
        self.window = self.send("browsingContext.getTree")["contexts"][0]["context"]

    def send(self, method: str, **params: Any) -> Any:
        """The answer to a command; what the console says meanwhile is kept."""
        self.asked += 1
        self.socket.send(json.dumps({"id": self.asked, "method": method, "params": params}))
        while True:
            told = json.loads(self.socket.recv())
            if told.get("id") == self.asked:
                assert told["type"] == "success", told
                return told["result"]
            entry = told.get("params", {})
            if told.get("method") == "log.entryAdded" and entry["level"] in ("error", "warn"):
                self.console.append(entry["text"])

    def goto(self, url: str, width: int, height: int) -> None:
        """Show a page in a window of so many pixels."""
        size = {"width": width, "height": height}
        self.send("browsingContext.setViewport", context=self.window, viewport=size)
        self.send("browsingContext.navigate", context=self.window, url=url, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript, or of its promise."""
        wrapped = f"(async () => JSON.stringify(await ({expression})))()"
        target = {"context": self.window}
        told = self.send("script.evaluate", expression=wrapped, target=target, awaitPromise=True)
        assert told["type"] == "success", told
        return json.loads(told["result"].get("value", "null"))

    def close(self) -> None:
        """End the browser."""
        self.socket.close()
        self.process.terminate()
        self.process.communicate(timeout=30)
        self.profile.cleanup()
