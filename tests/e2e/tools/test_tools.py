# SPDX-License-Identifier: Apache-2.0
"""The tools keep what they promise: the layer and size laws find offenders, nothing is left running, databases are apart."""
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from rsp import lifecycle, paths, postgres, proc

ROOT = paths.ROOT


def write(root, path, text):
    os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
    with open(os.path.join(root, path), "w") as f:
        f.write(text)


def check(name, root):
    done = subprocess.run(["/usr/bin/python3", os.path.join(ROOT, "tools", name), root], text=True, stdout=subprocess.PIPE, check=False)
    return done.returncode, done.stdout.splitlines()


class Laws(unittest.TestCase):
    def test_layers_name_file_and_line_of_each_offence(self):
        with tempfile.TemporaryDirectory() as root:
            write(root, "common/base/a.c", '#include <string.h>\n#include "common/sgp02/ids.h"\n')
            write(root, "common/soap/b.c", '#include <libxml/tree.h>\n#include "common/base/buf.h"\n#include <openssl/evp.h>\n')
            write(root, "common/crypto/xmldsig.c", '#include <libxml/tree.h>\n')
            write(root, "common/crypto/c.c", '#include <libxml/tree.h>\n')
            write(root, "services/eum/d.c", '#include "services/sm-sr/eis_store.h"\n#include "services/eum/own.h"\nint x; /* getenv( */\n')
            write(root, "services/eum/e.c", 'char *f(void) { return getenv("X"); }\n')
            code, lines = check("check-layers.py", root)
            self.assertEqual(code, 1)
            self.assertEqual([line.split(": ")[0] for line in lines], ["common/base/a.c:2", "common/crypto/c.c:1", "common/soap/b.c:3",
                                                                       "services/eum/d.c:1", "services/eum/e.c:1"])

    def test_names_find_what_nothing_defines(self):
        with tempfile.TemporaryDirectory() as root:
            write(root, "tests/a.py", "import os\n\n\ndef f():\n    return os.getpid() + luhn(1)\n")
            code, lines = check("check-names.py", root)
            self.assertEqual((code, len(lines)), (1, 1))
            self.assertRegex(lines[0], "^tests/a.py:5:.*luhn")

    def test_a_new_layer_needs_a_row(self):
        with tempfile.TemporaryDirectory() as root:
            write(root, "common/misc/a.c", "int a;\n")
            self.assertEqual(check("check-layers.py", root)[0], 1)

    def test_architecture_shows_the_table_that_is_checked(self):
        sys.path.insert(0, os.path.join(ROOT, "tools"))
        table = __import__("check-layers").LAYERS
        with open(os.path.join(ROOT, "docs", "architecture.md")) as f:
            section = f.read().split("## Who may include what")[1].split("\n## ")[0]
        rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", section, re.M))
        self.assertEqual({name: text.split() if text.strip() != "-" else [] for name, text in rows.items()}, table)

    def test_sizes_find_long_files_and_functions_but_no_tables(self):
        with tempfile.TemporaryDirectory() as root:
            write(root, "common/a.c", "int f(int a)\n{\n" + "\ta++;\n" * 80 + "}\n")
            write(root, "common/ok.c", "int f(int a)\n{\n" + "\ta++;\n" * 77 + "}\n")
            write(root, "common/table.c", "static const int t[] = {\n" + "\t1,\n" * 200 + "};\n")
            write(root, "common/b.h", "int x;\n" * 201)
            write(root, "tools/c.py", "x = 1\n" * 501)
            write(root, "proto/t.def", "ROW(1)\n" * 900)
            code, lines = check("check-size.py", root)
            self.assertEqual(code, 1)
            self.assertEqual([line.split(":")[0] for line in lines], ["common/a.c", "common/b.h", "tools/c.py"])
            self.assertIn("function f has 83 lines", lines[0])


class Processes(unittest.TestCase):
    def test_children_die_with_a_killed_parent(self):
        code = ("import sys; sys.path.insert(0, %r)\nfrom rsp import proc\nc = proc.spawn(['/bin/sleep', '600'])\n"
                "print(c.pid, flush=True)\nc.wait()\n" % os.path.join(ROOT, "tools"))
        parent = subprocess.Popen(["/usr/bin/python3", "-c", code], stdout=subprocess.PIPE, text=True)
        child = int(parent.stdout.readline())
        self.assertIsNotNone(proc.start_time(child))
        parent.kill()
        parent.wait()
        parent.stdout.close()
        self.assertTrue(proc.wait_pid_end(child, 10) or proc.start_time(child) is None)

    def test_the_set_ends_in_reverse_order_and_tells_who_crashed(self):
        with tempfile.TemporaryDirectory() as folder:
            order = os.path.join(folder, "order")
            script = "trap 'echo %s >> %s; exit 0' TERM; echo up; while :; do sleep 0.05; done"
            supervisor, children = proc.Supervisor(), []
            for name in ("first", "second", "crashed"):
                child = proc.Child(name, ["/bin/sh", "-c", script % (name, order)], dict(os.environ), os.path.join(folder, name))
                supervisor.start(child)
                supervisor.wait_until(child, lambda c=child: "up" in c.log_tail(), 10, "up")
                children.append(child)
            children[2].proc.send_signal(signal.SIGKILL)
            children[2].proc.wait()
            self.assertEqual([c.name for c in supervisor.unexpected()], ["crashed"])
            self.assertEqual(supervisor.stop(), [("crashed", -signal.SIGKILL)])
            with open(order) as f:
                self.assertEqual(f.read().split(), ["second", "first"])

    def test_no_child_is_started_by_a_thread_that_ends_before_it(self):
        refused = []

        def start():
            try:
                proc.Child("x", ["/bin/sleep", "600"], {}, os.devnull).start()
            except paths.RspError as e:
                refused.append(str(e))

        thread = threading.Thread(target=start)
        thread.start()
        thread.join()
        self.assertEqual(len(refused), 1)

    def test_a_child_that_ends_early_is_reported_with_its_log(self):
        with tempfile.TemporaryDirectory() as folder:
            supervisor = proc.Supervisor()
            child = supervisor.start(proc.Child("x", ["/bin/sh", "-c", "echo the reason; exit 7"], {}, os.path.join(folder, "log")))
            with self.assertRaisesRegex(paths.RspError, r"exit 7\)[^\0]*the reason"):
                supervisor.wait_until(child, lambda: False, 10, "ready")
            supervisor.stop()

    def test_interrupt_leaves_nothing(self):
        """SIGTERM while a command runs: exit 143, and the command is gone."""
        code = ("import sys; sys.path.insert(0, %r)\nfrom rsp import cli, proc\nproc.install_signals()\nimport os\n"
                "try:\n    proc.run(['/bin/sh', '-c', 'echo $$ > $0; sleep 600; :', sys.argv[1]])\n"
                "except proc.Interrupted as e:\n    sys.exit(128 + e.signum)\n" % os.path.join(ROOT, "tools"))
        with tempfile.TemporaryDirectory() as folder:
            name = os.path.join(folder, "pid")
            parent = subprocess.Popen(["/usr/bin/python3", "-c", code, name])
            deadline = time.monotonic() + 10
            while not (os.path.exists(name) and os.path.getsize(name)) and time.monotonic() < deadline:
                time.sleep(0.02)
            with open(name) as f:
                child = int(f.read())
            parent.terminate()
            self.assertEqual(parent.wait(20), 128 + signal.SIGTERM)
            self.assertIsNone(proc.start_time(child))

    def test_a_state_file_of_a_dead_process_means_not_up(self):
        with tempfile.TemporaryDirectory() as folder:
            saved, os.environ["RSP_STATE"] = os.environ.get("RSP_STATE"), folder
            try:
                # This process has this pid, but did not start at tick 1.
                write(folder, "up.json", '{"pid": %d, "start_time": 1}' % os.getpid())
                self.assertIsNone(lifecycle.read_state())
            finally:
                del os.environ["RSP_STATE"]
                if saved:
                    os.environ["RSP_STATE"] = saved


class Databases(unittest.TestCase):
    def test_a_role_reaches_its_own_database_only_and_with_its_password(self):
        folder = os.path.join(paths.state_dir(), "test-pg")
        os.makedirs(folder, exist_ok=True)
        env = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        supervisor = proc.Supervisor()
        cluster = postgres.Cluster(os.path.join(folder, "pg"), os.path.join(folder, "pw"), os.path.join(folder, "log"), env, keep=False)
        os.chmod(folder, 0o711 if os.getuid() == 0 else 0o700)
        try:
            cluster.prepare()
            cluster.start(supervisor)
            cluster.add_role("one")
            cluster.add_role("two")
            self.assertEqual(cluster.psql("one", "show fsync"), "on")

            def ask(passfile, database, role):
                argv = ["psql", "-X", "-w", "-A", "-t", "-c", "select current_user", "host=%s dbname=%s user=%s" % (cluster.folder, database, role)]
                return proc.run(argv, check=False, env=dict(env, PGPASSFILE=cluster.passfile(passfile)))
            self.assertEqual(ask("one", "one", "one"), (0, "one\n"))
            for wrong in (("one", "two", "one"), ("one", "two", "two"), ("two", "one", "one")):
                self.assertNotEqual(ask(*wrong)[0], 0, wrong)
            self.assertEqual(os.stat(cluster.passfile("one")).st_mode & 0o777, 0o600)
        finally:
            supervisor.stop()
            subprocess.run(["rm", "-rf", folder], check=True)


if __name__ == "__main__":
    unittest.main()
