import errno
import platform
import sys

import pytest

from prmkit.sandbox import seccomp
from tests.sandbox.child import in_child

FILTERED = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(each) for each in arguments))
    return ctypes.get_errno() if result == -1 else "done"
def raised():
    confine.no_new_privileges()
    seccomp.refuse_system_calls()
if not seccomp.available() or not confine.works(raised):
    print("null")
    sys.exit()
_, column, clone = seccomp._MACHINES[seccomp.platform.machine()]
"""


def behind_the_filter(program: str) -> object:
    found = in_child(FILTERED + program)
    if found is None:
        pytest.skip("this kernel or machine has no seccomp filter")
    return found


def test_it_is_the_filter_that_refuses() -> None:
    program = """
def asked():
    return call(seccomp._REFUSED["ptrace"][column], 99, 1 << 30, 0, 0)
before = asked()
raised()
print(json.dumps([before, asked()]))
"""
    before, after = behind_the_filter(program)  # type: ignore[misc]
    if before == errno.EPERM:
        pytest.skip("this machine refuses ptrace to everybody")
    assert (before, after) == (errno.ESRCH, errno.EPERM)  # without the filter: there is no such process


def test_every_named_call_is_refused_whatever_its_arguments() -> None:
    # Arguments that no call accepts: if the filter were not there, none of them would do harm.
    program = """
raised()
found = {name: call(numbers[column], -1, -1, -1, -1, -1) for name, numbers in seccomp._REFUSED.items()}
print(json.dumps(found))
"""
    assert behind_the_filter(program) == dict.fromkeys(seccomp._REFUSED, errno.EPERM)


def test_new_namespaces_are_refused_by_clone_too() -> None:
    program = """
raised()
found = [call(clone, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0), call(seccomp._CLONE3, 0, 0)]
print(json.dumps(found))
"""
    assert behind_the_filter(program) == [errno.EPERM, errno.ENOSYS]  # the C library takes the latter for an old kernel


def test_processes_threads_and_files_work_as_before() -> None:
    program = """
import subprocess, threading
raised()
said = []
thread = threading.Thread(target=said.append, args=["thread"])
thread.start()
thread.join()
said.append(subprocess.run([sys.executable, "-S", "-c", "print('process')"], capture_output=True, text=True).stdout)
read, write = os.pipe()
os.write(write, b"pipe")
said.append(os.read(read, 9).decode())
print(json.dumps(said))
"""
    assert behind_the_filter(program) == ["thread", "process\n", "pipe"]


def test_the_filter_stays_over_a_fork() -> None:
    program = """
raised()
read, write = os.pipe()
if os.fork() == 0:
    os.write(write, json.dumps(call(seccomp._REFUSED["ptrace"][column], 99, -1, 0, 0)).encode())
    os._exit(0)
os.wait()
print(os.read(read, 99).decode())
"""
    assert behind_the_filter(program) == errno.EPERM


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86_64 has a second table of calls")
def test_the_second_table_of_calls_is_no_way_around() -> None:
    program = """
getpid = 39
raised()
print(json.dumps([call(getpid), call(0x40000000 | getpid)]))
"""
    assert behind_the_filter(program) == ["done", errno.EPERM]


@pytest.mark.parametrize(
    ("system", "machine", "known"),
    [("linux", "x86_64", True), ("linux", "aarch64", True), ("linux", "riscv64", False), ("darwin", "x86_64", False)],
)
def test_it_is_for_machines_whose_calls_are_known(
    system: str, machine: str, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert seccomp.available() is known


def test_no_two_names_share_a_number() -> None:
    for column in (0, 1):
        numbers = [each[column] for each in seccomp._REFUSED.values()]
        assert len(set(numbers)) == len(numbers)
