# SPDX-License-Identifier: Apache-2.0
"""The staging of docker-compose.yml, run by podman: what `./rsp test containers` drives (docs/containers.md). Everything runs in network,
process and mount namespaces of its own, with a storage of its own in the state folder: nothing of it is seen on the host, and all of it
ends with the first process in there. docker-compose talks to podman's API over a unix socket, so that the file is read as users' tools do."""
import contextlib
import glob
import json
import os
import re
import resource
import shutil
import signal
import time

from . import host
from .paths import ROOT, RspError, state_folder
from .proc import Child, Supervisor, run, start_time

PACKAGES = "podman runc conmon catatonit netavark aardvark-dns iptables debootstrap docker-compose python3-yaml".split()
FILE = os.path.join(ROOT, "docker-compose.yml")
DEBIAN_BASE = "docker.io/library/debian:12-slim"
OWN_BASE = "localhost/m2m-rsp-base:12"
SUITES = {"bookworm": "http://deb.debian.org/debian/", "bookworm-updates": "http://deb.debian.org/debian/",
          "bookworm-security": "http://deb.debian.org/debian-security/"}
SLIM = ("doc", "groff", "info", "linda", "lintian", "locale", "man")  # of /usr/share: what the registry's image leaves out
PROJECT = "m2m-rsp"
SERVICE = "com.docker.compose.service"
# Words "SERVICE=CONTAINERS": waits for all of them, SECONDS at most, and says who is late. Asked from one container: an exec in each costs half a second.
PROBE = r"""
exec 2> /dev/null
answers() ( exec 3<> "/dev/tcp/$1/8080" && printf 'GET /readyz HTTP/1.0\r\nHost: %s\r\n\r\n' "$1" >&3 && read -r -t 5 _ status _ <&3 && [ "$status" = 200 ] )
ready() {
	local count=0 address
	case $1 in
		postgres) (: < /dev/tcp/postgres/5432); return ;;
		nats-*) (: < /dev/tcp/$1/4222); return ;;
	esac
	for address in $(getent ahostsv4 "$1" | cut -d' ' -f1 | sort -u); do
		answers "$address" || return
		count=$((count + 1))
	done
	[ $count -eq $2 ]
}
limit=$1
shift
for word in "$@"; do
	until ready "${word%=*}" "${word#*=}"; do
		[ $SECONDS -lt $limit ] || { echo "${word%=*}"; exit 1; }
		sleep 0.1
	done
done
"""
SELF = "until m2m-rsp ready; do [ $SECONDS -lt $0 ] || exit 1; sleep 0.1; done"  # of one without a port for that
ONCE, PORTLESS = ("setup", "introduce"), ("cards",)
# No CAP_SYS_RESOURCE, cgroup v1 beside v2, no systemd: what podman's defaults do not survive (docs/containers.md).
CONF = """\
[containers]
default_ulimits = ["nofile=%(files)d:%(files)d", "nproc=%(processes)d:%(processes)d"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
network_config_dir = "%(folder)s/networks"
no_pivot_root = false
[engine.runtimes]
runc = ["/usr/sbin/runc"]
[network]
network_backend = "netavark"
"""


def limit(kind, wanted):
    hard = resource.getrlimit(kind)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


def processes():
    """podman sets its own limit to pid_max whatever the configuration says: more than that it cannot give to a container then."""
    with open("/proc/sys/kernel/pid_max") as f:
        return min(limit(resource.RLIMIT_NPROC, 32768), int(f.read()))


def why_not():
    """Why containers cannot be run by this user on this machine; None: they can."""
    if os.getuid() != 0:
        return "containers are run as root here (namespaces, mounts, a bridge): run it as root or by sudo"
    code, output = run(["unshare", "--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc", "true"], check=False)
    if code != 0:
        return "the kernel gives this process no namespaces of its own (unshare: %s)" % output.strip()
    code, output = run(["unshare", "--net", "ip", "link", "add", "rsp0", "type", "bridge"], check=False)
    if code != 0:
        return "no bridge can be made in a network namespace (ip link add: %s)" % output.strip()
    with open("/proc/filesystems") as f:
        if "\toverlay\n" not in f.read():
            return "the kernel has no overlay file system (/proc/filesystems)"
    return None


def mirrors():
    """{suite: URI}: where apt of this machine has Debian 12 from, else Debian itself. A tree without certificates can use HTTP alone."""
    found = dict(SUITES)
    _, output = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages"], check=False)
    for uri, suite, component in re.findall(r"^(http://\S+) (\S+) (\S+)$", output, re.M):
        if suite in found and component == "main":
            found[suite] = uri
    return found


class Engine:
    """podman with a storage of ours. build() and image() work on it directly; start() opens its API in namespaces of their own."""

    def __init__(self):
        self.folder = state_folder("containers")
        self.run_folder = os.path.join(self.folder, "run")
        self.socket = os.path.join(self.run_folder, "podman.sock")
        self.conf = os.path.join(self.folder, "containers.conf")
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": self.folder, "TMPDIR": os.path.join(self.folder, "tmp"),
                    "CONTAINERS_CONF": self.conf, "DOCKER_HOST": "unix://" + self.socket, "COMPOSE_PROJECT_NAME": PROJECT}
        for name in ("http_proxy", "https_proxy", "no_proxy"):
            if name in os.environ:
                self.env[name] = os.environ[name]
        self.supervisor, self.child = Supervisor(), None
        self._clean()

    def _clean(self):
        """A run folder that is empty says to podman that the machine was started anew: nothing runs that its database may still name."""
        for name in ("run", "networks", "tmp"):
            os.makedirs(os.path.join(self.folder, name), mode=0o700, exist_ok=True)
            for entry in os.scandir(os.path.join(self.folder, name)):
                if entry.name.startswith("buildah-cache"):  # of the compiler
                    continue
                shutil.rmtree(entry.path) if entry.is_dir(follow_symlinks=False) else os.unlink(entry.path)
        with open(self.conf, "w") as f:
            f.write(CONF % {"folder": self.folder, "files": limit(resource.RLIMIT_NOFILE, 65536), "processes": processes()})

    def words(self, *words):
        return ["podman", "--log-level", "fatal", "--root", os.path.join(self.folder, "storage"), "--runroot", os.path.join(self.run_folder, "root"),
                "--tmpdir", os.path.join(self.run_folder, "tmp"), "--cgroup-manager", "cgroupfs", *words]

    def local(self, *words, check=True, timeout_s=3600):
        """podman itself on the storage, while its API is not open; what it mounts nobody else sees."""
        return run(["unshare", "--mount", *self.words(*words)], check=check, env=self.env, timeout_s=timeout_s, cwd="/")

    # Images.
    def has(self, image):
        return self.local("image", "exists", image, check=False)[0] == 0

    def size(self, image):
        return int(self.local("image", "inspect", "--format", "{{.Size}}", image)[1])

    def base(self):
        """Debian 12: what the registry has, else what debootstrap makes of the packages; kept in the storage."""
        for image in (DEBIAN_BASE, OWN_BASE):
            if self.has(image):
                return image
        if self.local("pull", "--quiet", DEBIAN_BASE, check=False, timeout_s=300)[0] == 0:
            return DEBIAN_BASE
        print("no registry answers: making %s with debootstrap" % OWN_BASE, flush=True)
        suites = mirrors()
        tree, packages = os.path.join(self.folder, "tmp", "debian"), os.path.join(self.folder, "packages")
        os.makedirs(packages, exist_ok=True)  # an interrupted run need not fetch them again
        run(["debootstrap", "--variant=minbase", "--cache-dir=" + packages, "bookworm", tree, suites["bookworm"]], env=self.env, timeout_s=3600)
        with open(os.path.join(tree, "etc/apt/sources.list"), "w") as f:
            f.write("".join("deb %s %s main\n" % (uri, suite) for suite, uri in suites.items()))
        # As debian:12-slim has it.
        with open(os.path.join(tree, "etc/dpkg/dpkg.cfg.d/slim"), "w") as f:
            f.write("force-unsafe-io\n" + "".join("path-exclude /usr/share/%s/*\n" % name for name in SLIM) + "path-include /usr/share/doc/*/copyright\n")
        for left in ["var/cache/apt", "var/lib/apt/lists"] + ["usr/share/" + name for name in SLIM]:
            shutil.rmtree(os.path.join(tree, left), ignore_errors=True)
            os.makedirs(os.path.join(tree, left), exist_ok=True)
        archive = tree + ".tar"
        run(["tar", "-C", tree, "-cf", archive, "."])
        self.local("import", archive, OWN_BASE)
        shutil.rmtree(tree)
        shutil.rmtree(packages)
        os.unlink(archive)
        return OWN_BASE

    def build(self, services):
        """The images that the services of the file are built to: {image: seconds}. Layers that have not changed are taken from the last time."""
        base, seconds = self.base(), {}
        for service in services.values():
            if service["image"] in seconds:
                continue
            began = time.monotonic()
            print("building %s" % service["image"], flush=True)
            self.local("build", "--quiet", "--jobs", "1", "--format", "docker", "--network", "host", "--layers", "--build-arg", "BASE=" + base,
                       "--target", service["build"]["target"], "--tag", service["image"], "--file", os.path.join(ROOT, "Dockerfile"), ROOT)
            seconds[service["image"]] = time.monotonic() - began
        self.local("image", "prune", "--force")
        return seconds

    # The API.
    def start(self):
        """catatonit is the first process of the namespaces and buries what containers leave; when unshare ends, all in there ends. Folders of
        netavark's that have fixed names are memory in there."""
        self._forget_killed()
        hidden = "".join("mkdir -p %s && mount -t tmpfs tmpfs %s && " % (path, path) for path in ("/run/containers", "/run/netns"))
        inside = hidden + "ip link set lo up && exec catatonit -- " + " ".join(self.words("system", "service", "--time", "0", "unix://" + self.socket))
        argv = ["unshare", "--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc", "sh", "-c", inside]
        self.child = Child("podman", argv, self.env, os.path.join(self.folder, "podman.log"), stop=signal.SIGKILL)
        self.supervisor.start(self.child)
        self.supervisor.wait_until(self.child, lambda: self.api("info", check=False)[0] == 0, 60, "answering")

    def _forget_killed(self):
        """What a run that was killed has left: rows of the storage and empty control groups of its containers."""
        kept = os.path.join(self.folder, "storage", "overlay-containers")
        containers = [name for name in os.listdir(kept) if re.fullmatch("[0-9a-f]{64}", name)] if os.path.isdir(kept) else []
        for container in containers:
            for group in glob.glob("/sys/fs/cgroup/*/libpod_parent/*%s*" % glob.escape(container)):
                with contextlib.suppress(OSError):
                    os.rmdir(group)
        if containers:
            self.local("rm", "--force", "--time", "0", *containers, check=False)
            self.local("volume", "prune", "--force", check=False)

    def api(self, *words, check=True, timeout_s=600, input_text=None):
        return run(["podman", "--log-level", "fatal", "--url", "unix://" + self.socket, *words], check=check, env=self.env, timeout_s=timeout_s, input_text=input_text, cwd="/")

    def stop(self):
        """Returns what is left, which should be nothing."""
        self.supervisor.stop()
        self.local("rm", "--all", "--force", "--time", "0", check=False)
        self.local("volume", "prune", "--force", check=False)
        self.local("network", "prune", "--force", check=False)
        return self.left()

    def left(self):
        """Containers and volumes in the storage, mounts below our folder, processes that use it."""
        found = ["container " + name for name in self.local("ps", "--all", "--format", "{{.Names}}")[1].split()]
        found += ["volume " + name for name in self.local("volume", "ls", "--quiet")[1].split()]
        with open("/proc/self/mounts") as f:
            mounts = [line.split()[1] for line in f]
        found += ["mount " + m for m in mounts if m.startswith(self.folder + "/")]
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    words = f.read().decode(errors="replace")
            except OSError:
                continue
            if self.folder in words and int(pid) != os.getpid() and start_time(int(pid)) is not None:
                found.append("process %s %s" % (pid, words.replace("\0", " ")[:100]))
        return found


class Compose:
    """docker-compose on that engine."""

    def __init__(self, engine):
        self.engine = engine

    def __call__(self, *words, check=True, timeout_s=600, input_text=None):
        return run(["docker-compose", "--file", FILE, "--project-directory", ROOT, *words], check=check, env=self.engine.env, timeout_s=timeout_s,
                   input_text=input_text, cwd="/")

    def services(self):
        """{service: its row}, as docker-compose understands the file."""
        import yaml
        return yaml.safe_load(self("config")[1])["services"]

    def up(self, *words):
        return self("up", "--detach", "--no-build", *words)

    def containers(self, service=None):
        """[{"Names", "State", "ExitCode", "Labels", ...}] of the project, those that ended too."""
        chosen = ["--filter", "label=%s=%s" % (SERVICE, service)] if service else []
        rows = json.loads(self.engine.api("ps", "--all", "--format", "json", *chosen)[1] or "[]")
        return [row for row in rows if SERVICE in (row["Labels"] or {})]

    def name(self, service):
        return self.containers(service)[0]["Names"][0]

    def exec(self, container, *words, check=True, input_text=None, timeout_s=600):
        return self.engine.api("exec", *(["--interactive"] if input_text is not None else []), container, *words, check=check,
                               input_text=input_text, timeout_s=timeout_s)

    def ended(self, service):
        """One whose task it is to end: whether it has, and well."""
        return [(row["State"], row["ExitCode"]) for row in self.containers(service)] == [("exited", 0)]

    def log(self, name, lines=20):
        return "== %s\n%s" % (name, self.engine.api("logs", "--tail", str(lines), name, check=False)[1])


class Stage:
    """The whole: with Stage() as stage: everything runs. Use stage.rspctl(...) as a person does it from a container."""

    def __init__(self):
        host.ensure(PACKAGES)
        self.engine = Engine()
        self.compose = Compose(self.engine)
        self.services = self.compose.services()
        self.build_seconds = self.engine.build(self.services)
        self.image = self.services["sm-sr"]["image"]
        self.size, self.base_size = self.engine.size(self.image), self.engine.size(self.engine.base())
        self.desk = None

    def start(self):
        """Returns the seconds from `up` until everybody is ready."""
        self.engine.start()
        began = time.monotonic()
        self.compose.up()
        started = [name for name, service in self.services.items() if not service.get("profiles")]
        self.await_ready({name: 1 for name in started if name not in ONCE + PORTLESS}, 300)
        for service in PORTLESS:
            if self.compose.exec(self.compose.name(service), "bash", "-c", SELF, "300", check=False)[0] != 0:
                raise RspError("%s is not ready\n%s" % (service, self._logs(service)))
        self._await_ended(300)
        seconds = time.monotonic() - began
        # One container in which everything is asked, instead of one per question.
        self.desk = self.compose("run", "--detach", "--entrypoint", "sleep", "rspctl", "infinity")[1].split()[-1]
        return seconds

    def await_ready(self, counts, timeout_s):
        """counts: {service: its containers}. Until so many of it answer that they are ready; asked from the EUM's, which is always there."""
        words = ["%s=%d" % row for row in counts.items()]
        code, late = self.compose.exec(self.compose.name("eum"), "bash", "-c", PROBE, "probe", str(timeout_s), *words, check=False,
                                       timeout_s=timeout_s + 60)
        if code != 0:
            raise RspError("not ready after %d s: %s\n%s" % (timeout_s, late, self._logs(late.strip())))

    def _await_ended(self, timeout_s):
        """Waits for the engine's word of each container that has a task and ends."""
        until = time.monotonic() + timeout_s
        while True:
            late = [service for service in ONCE if not self.compose.ended(service)]
            if not late:
                return
            if time.monotonic() > until:
                raise RspError("%s did not end well\n%s" % (late[0], self._logs(late[0])))
            time.sleep(0.2)

    def _logs(self, service):
        return "\n".join(self.compose.log(row["Names"][0]) for row in self.compose.containers(service))

    def at_desk(self, *words, check=True, input_text=None, timeout_s=600):
        return self.compose.exec(self.desk, *words, check=check, input_text=input_text, timeout_s=timeout_s)[1]

    def rspctl(self, *words):
        return json.loads(self.at_desk("rspctl", "--json", *words))

    def admin(self, party):
        """Its admin socket; of replicas any that answers."""
        return re.split(r"\s+", self.at_desk("bash", "-c", "for s in /admin/%s/*.sock; do rspctl --admin $s entity list > /dev/null 2>&1 && echo $s; done; true"
                                             % party).strip())[0]

    def inspect(self, containers):
        return json.loads(self.engine.api("inspect", *containers)[1])

    def stop(self):
        """Ends everything as a user does, then the engine. Returns what did not end well, and what is left."""
        try:
            bad = self._down() if self.engine.child and self.engine.child.alive() else ["podman: " + self.engine.child.log_tail()]
        finally:
            left = self.engine.stop()
        return bad + left

    def _down(self):
        if self.desk:
            self.engine.api("rm", "--force", "--time", "0", self.desk)
        self.compose("stop")
        bad = ["%s ended with exit code %d\n%s" % (row["Names"][0], row["ExitCode"], self.compose.log(row["Names"][0]))
               for row in self.compose.containers() if row["ExitCode"] != 0]
        self.compose("down", "--volumes")
        return bad
