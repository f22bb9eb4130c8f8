# SPDX-License-Identifier: GPL-2.0
"""The command lines that boot a test kernel: User-mode Linux, virtme-ng, QEMU."""

import os
import pathlib
import shlex
import subprocess

GUEST = "/mnt/src/scripts/vm.d/guest"
CHANNEL_NAMES = ("out", "err", "status")
SHARE_TAG = "newtcp.share"
# A processor of User-mode Linux is a thread of the host, and the threads of one program take
# turns at one host process, spinning for it: on a busy host hundreds of them keep RCU waiting
# for longer than the 21 seconds that it grants to real processors, whatever the family.
STALL_SECONDS = 90
# The guest reads a file system that nobody changes meanwhile: cache it.
ROOT_FLAGS = "trans=virtio,version=9p2000.L,access=any,cache=loose,msize=512000"


def guest_words(args):
    kind = "x86" if args.kernel == "x86" else "um"
    return [
        str(args.run),
        kind,
        "yes" if args.share else "no",
        "shell" if args.shell else "command",
    ]


def command(args, channels):
    """The command to start; its output is the kernel log."""
    if args.kernel != "x86":
        return uml(args, channels)
    if args.icount or args.shell:
        return qemu(args, channels)
    return virtme(args, channels)


def uml(args, channels):
    words = [
        args.image,
        f"mem={args.mem or default_memory(args)}",
        "uml_dir=/tmp/uml",
        "root=/dev/root rootfstype=hostfs rootflags=/ ro",
        f"init={GUEST}",
        "NEWTCP_GUEST=" + ",".join(guest_words(args)),
        "con=null",
        "quiet con0=fd:0,fd:1" if args.shell else "con0=null,fd:1",
        "ssl=null",
        *(f"ssl{at}=null,fd:{channel.writer}" for at, channel in enumerate(channels)),
    ]
    if args.kernel == "debug":
        # Processors need the seccomp way of running user code.
        words += [
            "seccomp=on",
            f"ncpus={args.smp or 2}",
            "selinux=0",
            f"rcupdate.rcu_cpu_stall_timeout={STALL_SECONDS}",
        ]
    words = [part for word in words for part in word.split()]
    return words + args.append.split()


def default_memory(args):
    return "2G" if args.kernel == "x86" else "1G"


def has_kvm():
    """A /dev/kvm is no proof: the processor must say so as well."""
    flags = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8")
    return os.access("/dev/kvm", os.W_OK) and (" vmx " in flags or " svm " in flags)


def ports(channels):
    """QEMU arguments for the three channels."""
    words = ["-device", "virtio-serial-pci,id=newtcp,max_ports=8"]
    for name, channel in zip(CHANNEL_NAMES, channels):
        words += [
            "-chardev",
            f"file,id=newtcp-{name},path={channel.path}",
            "-device",
            f"virtserialport,bus=newtcp.0,name=newtcp.{name},chardev=newtcp-{name}",
        ]
    return words


def host_directory(path, tag, readonly):
    """QEMU arguments that show a directory of ours to the guest."""
    name = tag.strip("/").replace("/", "-")
    mode = ",readonly=on" if readonly else ""
    return [
        "-fsdev",
        f"local,id={name},path={path},security_model=none,multidevs=remap{mode}",
        "-device",
        f"virtio-9p-pci,fsdev={name},mount_tag={tag}",
    ]


UDEV_RULES = pathlib.Path("/usr/lib/udev/rules.d")
PORT_RULE = """SUBSYSTEM=="virtio-ports", ATTR{name}=="?*", SYMLINK+="virtio-ports/$attr{name}"
"""


def trim_guest():
    """Spare virtme-ng's init what a test guest has no use for.

    It starts udev for all devices and sets up a whole system's files, which is
    most of the boot without hardware virtualization. It needs the names of the
    virtio ports. These mounts are seen by our namespace and its guest only.
    """
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", UDEV_RULES], check=True)
    (UDEV_RULES / "50-virtio-ports.rules").write_text(PORT_RULE, encoding="ascii")
    subprocess.run(
        ["mount", "--bind", "/usr/bin/true", "/usr/bin/systemd-tmpfiles"], check=True
    )


def virtme(args, channels):
    """virtme-ng: 9p always, so that the devices are the same on every host."""
    trim_guest()
    devices = ports(channels)
    if args.share:
        devices += host_directory("/mnt/share", SHARE_TAG, readonly=False)
    words = [
        "vng",
        f"--run={args.image}",
        f"--cpus={args.smp or 2}",
        f"--memory={args.mem or default_memory(args)}",
        "--user=root",
        "--verbose",
        "--force-9p",
        "--append=root=/dev/root",
        f"--append=rootflags={ROOT_FLAGS}",
        "--append=loglevel=7",
    ]
    if not has_kvm():
        words.append("--disable-kvm")
    words += [f"--append={word}" for word in args.append.split()]
    words.append(f"--qemu-opts={shlex.join(devices)}")
    guest = shlex.join(["bash", GUEST, *guest_words(args)])
    return [*words, f"--exec={guest}"]


def machine(args):
    """QEMU's processor: one that counts instructions, or a quick one."""
    if args.icount:
        # Guest nanoseconds are executed instructions. While the guest waits, its
        # clock jumps to the next timer; when it waits for another guest, time passes.
        sleep = "on" if args.link else "off"
        return ["-accel", "tcg", "-icount", f"shift=0,sleep={sleep}", "-cpu", args.cpu,
                "-smp", "1"]
    kvm = has_kvm()
    return [
        *("-accel", "kvm" if kvm else "tcg", "-cpu", "host" if kvm else "max"),
        *("-smp", str(args.smp or 2)),
    ]


def cable(link):
    """QEMU arguments for a network device whose other end is another guest."""
    own, other = link.split(",")
    pathlib.Path(own).unlink(missing_ok=True)
    ends = f"local.type=unix,local.path={own},remote.type=unix,remote.path={other}"
    mac = f"52:54:00:00:00:{2 + (own < other):02x}"
    return [
        *("-netdev", f"dgram,id=cable,{ends}"),
        *("-device", f"virtio-net-pci,netdev=cable,mac={mac}"),
    ]


def qemu(args, channels):
    """QEMU without virtme-ng, for counting and for a shell on the console."""
    kernel = [
        "console=ttyS0 panic=-1",
        f"root=/dev/root rootfstype=9p rootflags={ROOT_FLAGS} ro",
        f"init={GUEST}",
        "NEWTCP_GUEST=" + ",".join(guest_words(args)),
        *(["quiet"] if args.shell else []),
        args.append,
    ]
    words = [
        *("qemu-system-x86_64", "-machine", "q35", *machine(args)),
        *("-m", args.mem or default_memory(args)),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"),
        *host_directory("/", "/dev/root", readonly=True),
        *ports(channels),
        *(["-plugin", args.plugin] if args.plugin else []),
        *(cable(args.link) if args.link else []),
        *("-kernel", args.image, "-append", " ".join(kernel)),
    ]
    if args.share:
        words += host_directory("/mnt/share", SHARE_TAG, readonly=False)
    return words
