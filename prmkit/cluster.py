"""The Ray cluster: the one file that imports Ray."""

from typing import Any

from prmkit.errors import InputError


def connect() -> Any:
    """The module ``ray``, joined to the cluster of RAY_ADDRESS or of this machine, or else to one started here.

    Raises:
        InputError: Ray is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise InputError(f"Ray is not installed ({error})", cure="pip install 'prmkit[ray]'") from None
    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level="error")
    return ray
