# SPDX-License-Identifier: GPL-2.0
"""The edits against those who read the edited files."""

import os
import re
import shutil
import subprocess
import unittest

import support

SOURCE_DIRS = ("arch", "block", "crypto", "drivers/net", "fs", "include",
               "init", "io_uring", "ipc", "kernel", "lib", "net", "security")


class Readers(support.OverlayTest):
    """Programs and rules that read what the edits wrote."""

    def setUp(self):
        super().setUp()
        self.succeed("apply")

    def text(self, name):
        """A file of the applied tree."""
        return (self.tree / name).read_text()

    def test_perf_makes_a_name_of_our_family(self):
        script = support.KERNEL / "tools/perf/trace/beauty/sockaddr.sh"
        place = self.tree / "tools/perf/trace/beauty/include/linux"
        done = subprocess.run(["sh", script, place], check=True,
                              capture_output=True, text=True)
        self.assertIn('[46] = "INET_NEW_TCP"', done.stdout)

    def test_perf_makes_a_name_of_our_level(self):
        script = support.KERNEL / "tools/perf/trace/beauty/socket.sh"
        uapi = self.tree / "tools/include/uapi/linux"
        place = self.tree / "tools/perf/trace/beauty/include/linux"
        done = subprocess.run(["sh", script, uapi, place], check=True,
                              capture_output=True, text=True)
        self.assertIn('[253] = "NEWTCP"', done.stdout)
        self.assertIn('[288] = "NEWTCP"', done.stdout)

    def test_apparmor_makes_a_name_of_our_family(self):
        rule = (support.KERNEL / "security/apparmor/Makefile").read_text()
        found = re.search(r"'(s/\^\\#define\[ \\t\]\+AF_.*?)'", rule)
        done = subprocess.run(
            ["sed", "-r", "-n", "-e", found.group(1),
             self.tree / "include/linux/socket.h"],
            check=True, capture_output=True, text=True)
        self.assertIn('[46] = "inet_new_tcp",', done.stdout)

    def test_perfs_copy_has_the_same_numbers(self):
        def numbers(name):
            return re.findall(r"^#define\s+((?:AF|PF|SOL)_\w+)\s+(\w+)",
                              self.text(name), re.M)
        self.assertEqual(
            numbers("include/linux/socket.h"),
            numbers("tools/perf/trace/beauty/include/linux/socket.h"))

    def test_lockdep_names_stand_at_their_numbers(self):
        table = re.search(r"#define _sock_locks\(x\)(.*?)\"AF_MAX\"",
                          self.text("net/core/sock.c"), re.S).group(1)
        names = re.findall(r'x "([^"]*)"', table)
        self.assertEqual(names.index("AF_INET_NEW_TCP"), 46)
        self.assertEqual(names.index("AF_MCTP"), 45)

    def test_the_selinux_class_is_well_formed(self):
        text = self.text("security/selinux/include/classmap.h")
        entry = re.search(r'\{ "inet_new_tcp_socket",\s*\{(.*?)NULL', text,
                          re.S).group(1)
        like = re.search(r'\{ "tcp_socket",\s*\{(.*?)NULL', text,
                         re.S).group(1)
        self.assertEqual(entry.split(), like.split())

    def test_we_are_linked_after_the_protocols_below_us(self):
        text = self.text("net/Makefile")
        self.assertLess(text.index("+= ipv4/"), text.index("+= mynewtcp/"))
        self.assertLess(text.index("+= ipv6/"), text.index("+= mynewtcp/"))

    def test_the_menu_is_inside_if_inet(self):
        text = self.text("net/Kconfig")
        inside = text[text.index("\nif INET\n"):text.index("endif # if INET")]
        self.assertIn('source "net/mynewtcp/Kconfig"', inside)

    def test_maintainers_lists_what_is_delivered(self):
        entry = re.search(r"^NETWORKING \[NEW_TCP\]\n(.*?)\n\n",
                          self.text("MAINTAINERS"), re.M | re.S).group(1)
        listed = re.findall(r"^F:\t(.*)$", entry, re.M)
        self.assertEqual(listed, sorted(listed))
        for name in support.sources.names(support.REPO):
            self.assertTrue(any(name.startswith(place) for place in listed),
                            f"{name} has no line in MAINTAINERS")

    def test_no_other_place_counts_families(self):
        """#if and assertions on AF_MAX are all among the edits."""
        pattern = re.compile(
            rb"^[ \t]*#[ \t]*(?:el)?if.*\b[AP]F_MAX\b"
            rb"|(?:BUILD_BUG_ON|static_assert)[^;]*\b[AP]F_MAX\b", re.M)
        edited = {edit.file for edit in support.all_edits()}
        found = set()
        for name in self._sources():
            data = (support.KERNEL / name).read_bytes()
            if b"F_MAX" in data and pattern.search(data):
                found.add(name)
        self.assertEqual(found - edited, set())
        self.assertEqual(found, {"security/selinux/hooks.c",
                                 "security/selinux/include/classmap.h"})

    def _sources(self):
        for top in SOURCE_DIRS:
            for directory, _, leaves in os.walk(support.KERNEL / top):
                for leaf in leaves:
                    if leaf.endswith((".c", ".h", ".rs")):
                        path = os.path.join(directory, leaf)
                        yield os.path.relpath(path, support.KERNEL)


@unittest.skipUnless(shutil.which("cc"), "no C compiler")
class ProgramHeader(support.OverlayTest):
    """<linux/mynewtcp.h> beside the other headers a program includes."""

    def test_it_compiles_in_every_order(self):
        place = self.home / "include/linux"
        place.mkdir(parents=True)
        text = (self.repo / "include/uapi/linux/mynewtcp.h").read_text()
        # What the kernel does to a header when it installs it.
        (place / "mynewtcp.h").write_text(text.replace("_UAPI_", "_"))
        for before, after in (((), ()), (("netinet/in.h",), ()),
                              ((), ("netinet/in.h", "linux/in.h")),
                              (("sys/socket.h",), ("linux/in.h",)),
                              (("linux/in.h",), ())):
            lines = [f"#include <{name}>" for name in
                     (*before, "linux/mynewtcp.h", *after)]
            lines += ["int numbers[] = { AF_INET_NEW_TCP, PF_INET_NEW_TCP,",
                      "\tSOL_NEWTCP, IPPROTO_NEWTCP, NEWTCP_PROTO_INET6 };",
                      "_Static_assert(AF_INET_NEW_TCP == 46, \"\");",
                      "_Static_assert(SOL_NEWTCP == 288, \"\");",
                      "_Static_assert(IPPROTO_NEWTCP == 253, \"\");"]
            done = subprocess.run(
                ["cc", "-fsyntax-only", "-Wall", "-Werror", "-x", "c",
                 "-I", place.parent, "-"], input="\n".join(lines) + "\n",
                check=False, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)


class OwnMenu(unittest.TestCase):
    """The repository's Kconfig shows our options without a kernel tree."""

    def test_it_defines_what_our_options_refer_to(self):
        own = (support.REPO / "Kconfig").read_text()
        options = (support.REPO / "net/mynewtcp/Kconfig").read_text()
        defined = set(re.findall(r"^(?:menu)?config (\w+)$", own + options,
                                 re.M))
        used = set()
        for line in re.findall(
                r"^\s+(?:depends on|select|imply|visible if|default) (.*)$",
                options, re.M):
            used |= set(re.findall(r"\b[A-Z][A-Z0-9_]+\b", line))
        self.assertEqual(used - defined, set())
        self.assertIn('source "net/mynewtcp/Kconfig"', own)

    def test_every_option_has_a_help_text(self):
        options = (support.REPO / "net/mynewtcp/Kconfig").read_text()
        for entry in re.split(r"^(?:menu)?config ", options, flags=re.M)[1:]:
            self.assertIn("\n\thelp\n", entry, entry.split("\n")[0])
