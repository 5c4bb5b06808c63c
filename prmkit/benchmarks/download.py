"""Files that live outside the hub, fetched once into a cache: releases of evalplus, the problems of PRM800K."""

from pathlib import Path

from prmkit.errors import InputError
from prmkit.run import cache_folder


def fetch(url: str) -> Path:
    """The local copy of a file, downloaded in parallel ranges if it is not there.

    It lies in prmkit's cache (run.cache_folder). A download that breaks off leaves nothing behind.

    Raises:
        InputError: it cannot be downloaded.
    """
    folder = cache_folder()
    *_, owner, name = ["", *url.removeprefix("https://").split("/")]
    path = folder / f"{owner}-{name}"
    if path.is_file():
        return path
    partial = path.with_name(path.name + ".partial")
    try:
        import hf_transfer

        folder.mkdir(parents=True, exist_ok=True)
        hf_transfer.download(url, str(partial), max_files=8, chunk_size=1 << 22, parallel_failures=3, max_retries=5)
        partial.replace(path)
    # hf-transfer raises plain Exception for every fault of the network.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(
            f"cannot download the file ({reason})",
            where=url,
            cure="Download it elsewhere and give the path of its file.",
        ) from None
    finally:
        partial.unlink(missing_ok=True)
    return path
