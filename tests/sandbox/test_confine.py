import os
import socket
import sys
import tempfile
from pathlib import Path

import pytest

from prmkit.sandbox import confine
from tests.sandbox.child import in_child

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these walls are Linux's")


def test_an_attempt_is_made_elsewhere_and_leaves_no_trace() -> None:
    program = """
def fails(): raise OSError
def dies(): os.kill(os.getpid(), signal.SIGKILL)
def leaves(): os._exit(3)
before = os.getcwd()
found = [confine.works(attempt) for attempt in (lambda: os.chdir("/"), fails, dies, leaves)]
print(json.dumps([found, os.getcwd() == before]))
"""
    assert in_child(program) == [[True, False, False, False], True]


def test_resources_are_limited_to_what_is_said() -> None:
    program = """
resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
confine.limit_resources(seconds=2.5, memory_mb=512)
kinds = ("CPU", "AS", "FSIZE", "NOFILE", "NPROC", "CORE")
print(json.dumps({kind: resource.getrlimit(getattr(resource, "RLIMIT_" + kind)) for kind in kinds}))
"""
    assert in_child(program) == {
        "CPU": [4, 4],  # whole seconds, and two more: the clock on the wall is to be first
        "AS": [512 << 20] * 2,
        "FSIZE": [16 << 20] * 2,
        "NOFILE": [32, 32],  # 64, but a limit that is already lower stays
        "NPROC": [64, 64],
        "CORE": [0, 0],
    }


def test_limits_hold(tmp_path: Path) -> None:
    program = """
import errno
confine.limit_resources(seconds=60, memory_mb=512)
found = []
try:
    bytearray(1 << 30)
except MemoryError:
    found.append("memory")
file = os.open(given[0], os.O_WRONLY | os.O_CREAT)
written = os.write(file, bytes((16 << 20) + 1))
try:
    os.write(file, b"x")
except OSError as error:
    found.append(errno.errorcode[error.errno])
os.ftruncate(file, 0)
try:
    files = [open("/dev/null") for _ in range(64)]
except OSError as error:
    found.append(errno.errorcode[error.errno])
print(json.dumps([found, written]))
"""
    found, written = in_child(program, tmp_path / "file")
    assert found == ["memory", "EFBIG", "EMFILE"]
    assert written == 16 << 20


def landlock() -> int:
    abi = confine.landlock_abi()
    if not abi:
        pytest.skip("this kernel has no Landlock")
    return abi


def test_landlock_leaves_what_may_be_read_and_one_folder_to_write_to(tmp_path: Path) -> None:
    abi = landlock()
    readable, alone, box, secret = (tmp_path / name for name in ("readable", "alone", "box", "secret"))
    readable.mkdir()
    box.mkdir()
    for file in (readable / "a", alone, secret):
        file.write_text("text")
    program = """
readable, alone, box, secret, abi = given
def tried(attempt):
    try:
        return attempt()
    except PermissionError:
        return "refused"
read = lambda path: open(path).read()
write = lambda path: open(path, "w").write("text")
confine.no_new_privileges()
confine.landlock([readable, alone, "/no/such/path"], [box], abi)
print(json.dumps([
    tried(lambda: read(readable + "/a")), tried(lambda: os.listdir(readable)), tried(lambda: read(alone)),
    tried(lambda: write(box + "/new")), tried(lambda: read(box + "/new")), tried(lambda: write("/dev/null")),
    tried(lambda: len(open("/dev/urandom", "rb").read(3))),
    tried(lambda: read(secret)), tried(lambda: os.open(readable + "/a", os.O_WRONLY)),
    tried(lambda: write(readable + "/b")),
    tried(lambda: os.unlink(alone)), tried(lambda: os.listdir("/")), tried(lambda: os.rename(secret, box + "/got")),
]))
"""
    found = in_child(program, readable, alone, box, secret, abi)
    assert found == ["text", ["a"], "text", 4, "text", 4, 3, *["refused"] * 6]
    assert secret.read_text() == "text"
    assert [file.name for file in readable.iterdir()] == ["a"]


def test_landlock_refuses_tcp_where_it_knows_it() -> None:
    abi = landlock()
    if abi < 4:
        pytest.skip(f"version {abi} of Landlock knows no TCP")
    program = """
def reached():
    try:
        socket.create_connection(("127.0.0.1", given[0]), timeout=10).close()
    except OSError as error:
        return type(error).__name__
    return "connected"
before = reached()
confine.no_new_privileges()
confine.landlock([], ["/tmp"], given[1])
print(json.dumps([before, reached()]))
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert in_child(program, server.getsockname()[1], abi) == ["connected", "PermissionError"]


STATUS = """
def status(name):
    return dict(line.split(":", 1) for line in open("/proc/self/status"))[name].split()
"""


def test_privileges_are_given_up_for_good() -> None:
    program = """
confine.no_new_privileges()
confine.drop_privileges(given[0])
names = ("CapEff", "CapPrm", "CapInh", "NoNewPrivs", "Uid", "Gid")
found = {name: status(name) for name in names}
try:
    os.setuid(0)
    again = "root"
except PermissionError:
    again = "refused"
print(json.dumps([found, again]))
"""
    if os.getuid():
        pytest.skip("only root has privileges to give up, and users to become")
    found, again = in_child(STATUS + program, 1 << 30)
    assert found["CapEff"] == found["CapPrm"] == found["CapInh"] == ["0" * 16]
    assert found["NoNewPrivs"] == ["1"]
    assert found["Uid"] == found["Gid"] == [str(1 << 30)] * 4
    assert again == "refused"


def test_a_child_dies_with_its_parent() -> None:
    program = """
ready, go = os.pipe()
read, write = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        confine.die_with_parent()
        os.write(write, b"child ")
        os.write(go, b"x")
        time.sleep(100)
        os.write(write, b"survived")
        os._exit(0)
    os.read(ready, 1)
    os.write(write, b"parent")
    os._exit(0)
os.close(write)
print(json.dumps(open(read, "rb").read().decode()))  # to the end, when nobody holds the other side
"""
    assert in_child(program) == "child parent"


def test_orphans_are_adopted() -> None:
    program = """
confine.adopt_orphans()
read, write = os.pipe()
if os.fork() == 0:
    parent = os.getpid()
    if os.fork() == 0:
        while os.getppid() == parent:
            time.sleep(0.001)
        os.write(write, str(os.getppid()).encode())
        os._exit(0)
    os._exit(0)
print(json.dumps(int(os.read(read, 99)) == os.getpid()))
"""
    assert in_child(program) is True


NAMESPACES = """
user = os.getuid() != 0
def prepare():
    confine.enter_namespaces(user=user)
    confine.private_root([])
    confine.mount_folders([])
if not confine.works(prepare):
    print("null")
    sys.exit()
def tried(attempt):
    try:
        return attempt()
    except OSError as error:
        return type(error).__name__
"""


def behind_namespaces(program: str, *arguments: object) -> object:
    found = in_child(NAMESPACES + program, *arguments)
    if found is None:
        pytest.skip("this machine offers no namespaces")
    return found


def test_a_private_root_shows_what_it_is_told_and_is_read_only(tmp_path: Path) -> None:
    shown, hidden = tmp_path / "shown", tmp_path / "hidden"
    shown.mkdir()
    (shown / "a").write_text("text")
    hidden.write_text("secret")
    (tmp_path / "link").symlink_to("shown")
    program = """
shown, hidden, link = given
confine.enter_namespaces(user=user)
confine.private_root([shown, link])
print(json.dumps([
    sorted(os.listdir("/")), sorted(os.listdir(os.path.dirname(shown))), open(shown + "/a").read(), os.readlink(link),
    os.path.exists(hidden), tried(lambda: open(shown + "/a", "w")), tried(lambda: open("/new", "w")),
    tried(lambda: os.mkdir(shown + "/new")), tried(lambda: open("/dev/null", "w").write("text")),
]))
"""
    found = behind_namespaces(program, shown, hidden, tmp_path / "link")
    top = tmp_path.parts[1]
    assert found == [sorted({"box", "dev", "tmp", top}), ["link", "shown"], "text", "shown", False, *["OSError"] * 3, 4]
    assert (shown / "a").read_text() == "text"
    assert [file.name for file in shown.iterdir()] == ["a"]


def test_the_box_holds_32_mib_and_no_other_process_sees_it() -> None:
    program = """
confine.enter_namespaces(user=user)
confine.private_root([])
confine.mount_folders([])
size = os.statvfs(confine.BOX).f_blocks * os.statvfs(confine.BOX).f_frsize
before = os.listdir(confine.BOX)
open(confine.BOX + "/a", "wb").write(bytes(1 << 24))
print(json.dumps([before, size, tried(lambda: open(confine.BOX + "/b", "wb").write(bytes(1 << 25)))]))
"""
    assert behind_namespaces(program) == [[], 32 << 20, "OSError"]
    assert not os.path.exists(confine.BOX)


def test_a_temporary_folder_hides_all_of_the_machine_s_but_what_is_shown() -> None:
    # An environment may itself lie there.
    program = """
confine.enter_namespaces(user=user)
confine.private_root(given)
confine.mount_folders(given)
open("/tmp/new", "w").write("text")
shown, = given
print(json.dumps([
    sorted(os.listdir("/tmp")), os.listdir(os.path.dirname(shown)), open(shown + "/a").read(), os.listdir(confine.BOX),
    tried(lambda: open(shown + "/b", "w")),
]))
"""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        shown, hidden = Path(folder, "shown"), Path(folder, "hidden")
        shown.mkdir()
        (shown / "a").write_text("text")
        hidden.write_text("secret")
        found = behind_namespaces(program, shown)
        assert found == [sorted(["new", Path(folder).name]), ["shown"], "text", [], "OSError"]
        assert not Path("/tmp/new").exists()


def test_a_namespace_of_its_own_has_no_network() -> None:
    program = """
def reached():
    socket.create_connection(("127.0.0.1", given[0]), timeout=10).close()
    return "connected"
before = tried(reached)
confine.enter_namespaces(user=user)
print(json.dumps([before, tried(reached)]))
"""
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert behind_namespaces(program, server.getsockname()[1]) == ["connected", "OSError"]
