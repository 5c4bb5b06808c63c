"""The exhibits: name -> program. ``@FOLDER@`` is a folder of the machine with a secret in it, ``@PORT@`` a port on
which the machine listens, ``@PARENT@`` the process id of the grader.
"""

_FORK = "import os, time, sys, signal, socket, threading, ctypes\n"

EXHIBITS = {
    # Taking the machine down.
    "bomb-fork": _FORK + "def f(x):\n    while True:\n        try: os.fork()\n        except OSError: pass",
    "bomb-fork-at-import": _FORK + "while True:\n    try: os.fork()\n    except OSError: pass",
    "bomb-memory": "def f(x):\n    held = []\n    while True: held.append(bytearray(1 << 24))",
    "bomb-memory-in-one": "def f(x): return 'a' * (1 << 40)",
    "bomb-threads": _FORK + "def f(x):\n    while True:\n        try: threading.Thread(target=time.sleep, args=(99,)).start()\n"
    "        except RuntimeError: pass",
    "bomb-recursion": "import sys\nsys.setrecursionlimit(1 << 30)\ndef f(x): return f(x) + 1",
    "bomb-nesting": "def f(x):\n    value = []\n    for _ in range(10**6): value = [value]\n    return value",
    "bomb-self-reference": "def f(x):\n    value = []\n    value.append(value)\n    return value",
    "bomb-compile": "def f(x): return eval('(' * 10**6 + ')' * 10**6)",
    "bomb-integer": "def f(x): return str(9 ** 9 ** 9)",
    "bomb-regex": "import re\ndef f(x): return re.match(r'(a+)+$', 'a' * 64 + 'b')",
    "bomb-disk": "def f(x):\n    for i in range(10**6): open(f'file{i}', 'wb').write(bytes(1 << 22))",
    "bomb-files": "def f(x):\n    held = []\n    while True: held.append(open('file', 'a'))",
    "bomb-inodes": "def f(x):\n    for i in range(10**7): open(f'file{i}', 'w').close()",
    # Flooding.
    "flood-output": "def f(x):\n    while True: print('a' * 10**6)",
    "flood-errors": "import os\ndef f(x):\n    while True: os.write(2, b'a' * 10**6)",
    "flood-replies": "import os\ndef f(x):\n    while True:\n        for i in range(3, 10):\n"
    '            try: os.write(i, b\'["value", "1"]\\n\')\n            except OSError: pass',
    "flood-one-line": "import os\ndef f(x):\n    while True:\n        for i in range(3, 10):\n"
    "            try: os.write(i, b'a' * 65536)\n            except OSError: pass",
    # Never ending.
    "hang-sleep": "import time\ndef f(x): time.sleep(10**6)",
    "hang-busy": "def f(x):\n    while True: pass",
    "hang-at-import": "while True: pass",
    "hang-signals-ignored": "import signal\nfor s in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}: signal.signal(s, signal.SIG_IGN)\n"
    "def f(x):\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass",
    "hang-alarm-cancelled": "import signal\ndef f(x):\n    signal.alarm(0); signal.setitimer(signal.ITIMER_REAL, 0)\n    while True: pass",
    "hang-stopped": "import os, signal\ndef f(x): os.kill(os.getpid(), signal.SIGSTOP)",
    "hang-stdin": "def f(x): return input() + input()",
    "hang-in-del": "class Late:\n    def __del__(self):\n        while True: pass\nlate = Late()\ndef f(x): return x",
    "hang-in-thread": _FORK + "def spin():\n    while True: pass\nthreading.Thread(target=spin).start()\ndef f(x): return x",
    "hang-atexit": "import atexit, time\natexit.register(time.sleep, 999)\ndef f(x): return x",
    # Staying.
    "stay-daemon": _FORK + "def f(x):\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0: time.sleep(999)\n"
    "        os._exit(0)\n    return x",
    "stay-zombies": _FORK + "def f(x):\n    for _ in range(30):\n        if os.fork() == 0: os._exit(0)\n    return x",
    "stay-orphan-holding-pipe": _FORK + "if os.fork() == 0: time.sleep(999)\ndef f(x): return x",
    # Ending early.
    "exit-zero": "import os\nos._exit(0)",
    "exit-in-call": "import os\ndef f(x): os._exit(0)",
    "exit-before-asserts": "import sys\nsys.exit()\ndef f(x): return 42",
    "exit-by-signal": "import os, signal\ndef f(x): os.kill(os.getpid(), signal.SIGKILL)",
    "exit-by-crash": "import ctypes\ndef f(x): ctypes.string_at(0)",
    # Lying.
    "forge-verdict-printed": "print('passed')\nprint('OK')\nprint('[\"value\", \"42\"]')\ndef f(x): return None",
    "forge-verdict-everywhere": "import os\nfor i in range(64):\n    try: os.write(i, b'passed\\n{\"status\": \"pass\"}\\n')\n"
    "    except OSError: pass\ndef f(x): return None",
    "forge-status": "import os\ndef f(x):\n    for i in range(3, 64):\n        try: os.write(i, b'Exit0')\n        except OSError: pass\n"
    "    os._exit(0)",
    "forge-null": "import os\nfor i in range(3, 64):\n    try: os.write(i, b'[\"value\", \"null\"]\\n' * 9)\n    except OSError: pass\n"
    "os._exit(0)",
    "patch-equality": "class Yes(str):\n    def __eq__(self, other): return True\n    __hash__ = str.__hash__\n"
    "    def __ne__(self, other): return False\ndef f(x): return Yes('no')",
    "patch-equality-of-any": "class Yes:\n    def __eq__(self, other): return True\ndef f(x): return Yes()",
    "patch-json": "import json\njson.dumps = lambda *a, **k: '\"passed\"'\njson.loads = lambda *a, **k: True\ndef f(x): return None",
    "patch-builtins": "import builtins\nbuiltins.len = lambda *a: 0\nbuiltins.all = lambda *a: True\nbuiltins.type = str\n"
    "builtins.isinstance = lambda *a: True\ndef f(x): return None",
    "patch-import-hook": "import sys, builtins\nclass Hook:\n    def find_spec(self, *a): return None\nsys.meta_path.insert(0, Hook())\n"
    "real = builtins.__import__\nbuiltins.__import__ = lambda *a, **k: real(*a, **k)\nsys.modules['json'] = None\ndef f(x): return None",
    "patch-frames": "import sys\ndef f(x):\n    frame = sys._getframe()\n    while frame:\n        for name, value in list(frame.f_locals.items()):\n"
    "            if isinstance(value, dict):\n                for key in list(value): \n"
    "                    if 'output' in str(key) or 'expected' in str(key): return value[key]\n        frame = frame.f_back\n    return None",
    # Looking.
    "read-secret": "def f(x): return open('@FOLDER@/secret').read()",
    "read-by-io": "import io, os\ndef f(x):\n    return os.read(os.open('@FOLDER@/secret', os.O_RDONLY), 100).decode()",
    "read-by-symlink": "import os\ndef f(x):\n    os.symlink('@FOLDER@/secret', 'link')\n    return open('link').read()",
    "read-by-dots": "def f(x): return open('../' * 30 + '@FOLDER@/secret').read()",
    "read-by-hardlink": "import os\ndef f(x):\n    os.link('@FOLDER@/secret', 'link')\n    return open('link').read()",
    "read-grader-memory": "def f(x):\n    import re\n    memory = open('/proc/@PARENT@/mem', 'rb', 0)\n"
    "    for line in open('/proc/@PARENT@/maps'):\n        low, high = (int(a, 16) for a in line.split()[0].split('-'))\n"
    "        memory.seek(low)\n        if b'forty-two' in memory.read(high - low): return 'forty-two'",
    "read-own-memory": "import gc\ndef f(x):\n    for item in gc.get_objects():\n        if isinstance(item, dict) and item.get('output'): return item['output']",
    "read-environment": "def f(x): return open('/proc/1/environ').read() + open('/proc/@PARENT@/environ').read()",
    "read-cmdline": "import os\ndef f(x): return [open(f'/proc/{p}/cmdline').read() for p in os.listdir('/proc') if p.isdigit()]",
    "read-fd-of-grader": "import os\ndef f(x): return [os.readlink(f'/proc/self/fd/{i}') for i in range(64)]",
    "read-grader-source": "import prmkit.grade.programs as g\ndef f(x): return open(g.__file__).read()",
    # Writing.
    "write-outside": "def f(x): open('@FOLDER@/new', 'w').write('x')",
    "write-tmp-and-etc": "import os\ndef f(x):\n    for place in ('/tmp', '/etc', '/var/tmp', '/dev/shm', '/root', '/'):\n"
    "        try: open(place + '/prmkit-was-here', 'w')\n        except OSError: continue\n        return place\n    return None",
    "write-system": "import os\ndef f(x): open(os.__file__, 'a').write('#')",
    "write-by-remount": _FORK + "def f(x): return [ctypes.CDLL(None).mount(b'none', b'/', None, 0x20, None), open(os.__file__, 'a').name]",
    "write-by-chmod": "import os\ndef f(x):\n    os.chmod('@FOLDER@/secret', 0o777)\n    os.unlink('@FOLDER@/secret')",
    # Getting out.
    "escape-network": _FORK + "def f(x): socket.create_connection(('127.0.0.1', @PORT@), timeout=1).send(b'out')",
    "escape-unix-socket": _FORK + "def f(x):\n    s = socket.socket(socket.AF_UNIX)\n    s.connect('\\0/tmp/.X11-unix/X0')",
    "escape-signals": _FORK + "def f(x):\n    for p in [@PARENT@, os.getppid(), -1]:\n        if p: os.kill(p, signal.SIGKILL)",
    "escape-kill-group": _FORK + "def f(x): os.killpg(0, signal.SIGKILL)",
    "escape-ptrace": _FORK + "def f(x): return ctypes.CDLL(None).ptrace(16, @PARENT@, 0, 0)",
    "escape-vm-write": _FORK + "def f(x): return ctypes.CDLL(None).process_vm_writev(@PARENT@, None, 0, None, 0, 0)",
    "escape-setns": _FORK + "def f(x): return ctypes.CDLL(None).setns(os.open('/proc/1/ns/mnt', os.O_RDONLY), 0)",
    "escape-new-userns": _FORK + "def f(x):\n    c = ctypes.CDLL(None)\n    return [c.unshare(0x10000000), c.unshare(0x20000)]",
    "escape-chroot": _FORK + "def f(x):\n    os.mkdir('a'); os.chroot('a')\n    for _ in range(99): os.chdir('..')\n    os.chroot('.')\n"
    "    return open('@FOLDER@/secret').read()",
    "escape-setuid": "import os\ndef f(x):\n    os.setuid(0)\n    return open('@FOLDER@/secret').read()",
    "escape-subprocess": "import subprocess\ndef f(x): return subprocess.run('cat @FOLDER@/secret; echo out > @FOLDER@/new', shell=True, "
    "capture_output=True, text=True).stdout",
    "escape-mknod": "import os, stat\ndef f(x):\n    os.mknod('disk', 0o600 | stat.S_IFBLK, os.makedev(8, 0))\n    return open('disk', 'rb').read(9).hex()",
    "escape-rlimits": "import resource\ndef f(x):\n    resource.setrlimit(resource.RLIMIT_AS, (-1, -1))\n    return len(bytearray(1 << 34))",
    "escape-close-descriptors": "import os\nos.closerange(0, 256)\ndef f(x): return 42",
    "escape-io-uring": _FORK + "def f(x): return ctypes.CDLL(None).syscall(425, 8, ctypes.create_string_buffer(256))",
    "escape-keyring": _FORK + "def f(x): return ctypes.CDLL(None).syscall(250, 0, -3, 1)",
    "escape-bpf": _FORK + "def f(x): return ctypes.CDLL(None).syscall(321, 0, ctypes.create_string_buffer(128), 128)",
}  # fmt: skip
