"""The cost of serving tokens: small formulas, arrays in, arrays out.

>>> from costlib import kv
>>> per_user = kv.sequence_bytes(
...     [4_000, 128_000], n_layers=80, n_kv_heads=8, cached_dim=256, bytes_per_value=1
... )
>>> per_user / 1e9
array([ 0.65536, 20.97152])

The house has four floors. A module imports its own floor and those below it, never one above;
beside each floor stand the libraries that it adds to those below. The tests read this drawing.

    Face: altair docutils IPython ipywidgets nbconvert nbformat papermill vl_convert ziamath
        page: booktools charts widgets register
        command: cli report

    Facts and studies: pandas pydantic tqdm xarray yaml
        files: _files columns tables catalog
        facts: lengths pricebook bills indices readings sites laws tenants
        models: architectures variants machines layouts mixtures deploy effort
        prediction: calibration serve validate frontier reloading
        load: workloads requestlog profile replica response replays simulate
        money: margins ownership lives routers terms
        plans: _safeyaml scenario screening choices apis rigs plans plantext contest sensitivity
            study
        grids: cluster
        claims: claims rulings
        arguments: _thesis arguments theses theses_physics theses_steps theses_load theses_prices
            theses_reuse theses_demand theses_ownership theses_training theses_availability

    Formulas: scipy
        a step: work roofline latency energy links experts drafts serving
        a cache: kv paging compaction shrinking quantizing recurrence recall reuse tiers sessions
        a queue: _erlang queueing staffing clipping bulk batching sharing sojourn
        a price: pricing tariffs menus markets demand usage
        a choice: routing cascading coupling significance
        a machine: finance tco fleet depreciation charges holding impairment
        a building: facility utilisation carbon availability outages egress
        a training: training scaling lifetime adapters

    Ground: numpy
        costlib units _checks _halving _words
"""

__version__ = "0.1.0"
