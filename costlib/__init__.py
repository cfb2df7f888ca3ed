"""The cost of serving tokens: small formulas, arrays in, arrays out.

>>> from costlib import kv
>>> per_user = kv.sequence_bytes(
...     [4_000, 128_000], n_layers=80, n_kv_heads=8, cached_dim=256, bytes_per_value=1
... )
>>> per_user / 1e9
array([ 0.65536, 20.97152])
"""

__version__ = "0.1.0"
