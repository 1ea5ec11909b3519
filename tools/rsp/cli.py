# SPDX-License-Identifier: Apache-2.0
"""The command line of ./rsp."""
import argparse
import os
import subprocess
import sys

from . import host
from .build import build
from .paths import ROOT, RspError, state_dir
from .proc import Interrupted, install_signals, run


def command_demo(arguments):
    from . import demo
    host.ensure(host.RUN)
    return demo.run_demo(build("release"))


def command_test(arguments):
    from . import testing
    if arguments.scope == "containers":
        from . import containers
        why = containers.why_not()
        if why:
            raise RspError(why)
        return testing.run_containers(arguments.k)
    host.ensure(host.RUN, host.TEST)
    return testing.run_tests(arguments.scope == "full", arguments.k)


def command_up(arguments):
    from . import lifecycle
    host.ensure(host.RUN)
    return lifecycle.up(build("release"), arguments.wipe, arguments.domains)


def command_down(arguments):
    from . import lifecycle
    return lifecycle.down()


def command_status(arguments):
    from . import lifecycle
    return lifecycle.status(arguments.json)


def command_logs(arguments):
    from . import lifecycle
    return lifecycle.logs(arguments.role)


def command_bench(arguments):
    from . import bench
    host.ensure(host.RUN)
    return bench.run_bench(build("release"), arguments.json, arguments.big)


def command_certs(arguments):
    from . import staging
    host.ensure(host.RUN)
    out = os.path.abspath(arguments.out or os.path.join(state_dir(), "certs"))
    staging.make_certificates(build("release"), out)
    print(out)
    return 0


def command_fmt(arguments):
    host.ensure(host.FORMAT)
    names = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "*.c", "*.h"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.split("\n")
    names = [os.path.join(ROOT, n) for n in names if n and os.path.exists(os.path.join(ROOT, n))]
    run(["/usr/bin/clang-format", "-i", "--style=file"] + names)
    print("%d files" % len(names))
    return 0


def parser():
    top = argparse.ArgumentParser(prog="./rsp", description="Builds, stages, tests and measures m2m-rsp on this machine.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name, function, text):
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(function=function)
        return command

    add("demo", command_demo, "make, register and read 100 cards; stops everything again")
    test = add("test", command_test, "build with sanitizers and run the tests; `test full` adds the long ones, `test containers` "
               "builds the images and drives docker-compose.yml, as root")
    test.add_argument("scope", nargs="?", choices=["full", "containers"], help="also tests/full; only tests/e2e/containers")
    test.add_argument("-k", metavar="TEXT", help="only end-to-end tests whose name contains TEXT")
    up = add("up", command_up, "start a staging in the background")
    up.add_argument("--wipe", action="store_true", help="begin with empty databases and new certificates")
    up.add_argument("--domains", type=int, choices=[1, 2], default=1, help="2: another SM-SR in a domain of its own, and both with their handover"
                    " services")
    add("down", command_down, "stop it")
    status = add("status", command_status, "its processes, ports, readiness and memory; exit 3: not up")
    status.add_argument("--json", action="store_true", help="the state file with readiness and memory")
    logs = add("logs", command_logs, "print its logs")
    logs.add_argument("role", nargs="?", help="of one process, as status names it")
    bench = add("bench", command_bench, "measure, each figure beside its limit; exit 3: below a floor. With RSP_BENCH_QUICK=1 in the environment"
                " only shows in seconds that measuring works")
    bench.add_argument("--json", action="store_true", help="one JSON object")
    bench.add_argument("--big", action="store_true", help="instead: a million EIS, 10,000 waiting cards, two replicas (half an hour, 20 GiB)")
    certs = add("certs", command_certs, "make a test PKI")
    certs.add_argument("--out", metavar="FOLDER", help="where (default: in the state folder)")
    add("fmt", command_fmt, "clang-format all .c and .h")
    return top


def main():
    os.umask(0o022)
    arguments = parser().parse_args()
    install_signals()
    try:
        return arguments.function(arguments)
    except Interrupted as e:
        print("interrupted", file=sys.stderr)
        return 128 + e.signum
    except RspError as e:
        print("rsp: %s" % e, file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stdout = None
        return 1
