# SPDX-License-Identifier: GPL-2.0
"""Every reason to stop: one clear line, and nothing half applied."""

import re

import support


class WrongTree(support.OverlayTest):
    """Directories that apply has no business in."""

    def test_other_kernel_versions_are_refused(self):
        for version, patchlevel in ((7, 1), (7, 4), (6, 12), (8, 3)):
            path = self.tree / "Makefile"
            text = re.sub(r"^VERSION = .*$", f"VERSION = {version}",
                          path.read_text(), count=1, flags=re.M)
            path.write_text(re.sub(r"^PATCHLEVEL = .*$",
                                   f"PATCHLEVEL = {patchlevel}", text,
                                   count=1, flags=re.M))
            self.refuse("apply", f"Linux {version}.{patchlevel}",
                        "7.2.x and 7.3.x", "Makefile")

    def test_a_directory_that_is_no_kernel_is_refused(self):
        other = self.home / "other"
        other.mkdir()
        self.refuse("apply", "not a Linux kernel tree", where=other)
        self.refuse("apply", "no such directory", where=self.home / "none")

    def test_a_makefile_without_a_version_is_refused(self):
        (self.tree / "Makefile").write_text("all:\n")
        self.refuse("apply", "no VERSION line")

    def test_the_repository_itself_is_refused(self):
        self.refuse("apply", "not a kernel tree", where=self.repo)

    def test_a_missing_upstream_file_is_named(self):
        (self.tree / "net/core/sock.c").unlink()
        self.refuse("apply", "net/core/sock.c: missing")


class Anchors(support.OverlayTest):
    """Every anchor must be there, once."""

    def setUp(self):
        super().setUp()
        data = self.repo / "scripts/overlay.d"
        self.edits = support.edits.select(
            support.all_edits(data), self.version(),
            support.sources.names(self.repo))

    def version(self):
        """The version of the tree, as the edit files write it."""
        return support.tree.KernelTree(self.tree, self.repo).version_name

    def refuse_edit(self, edit, hits):
        """apply stops at this edit, names file and anchor, changes nothing."""
        before = support.snapshot(self.tree)
        status, said = self.run_overlay("apply", "--with-test-edits")
        self.assertEqual(status, 1, f"{edit.file} {edit.name}: {said}")
        self.assertIn(f"{edit.file}: anchor {edit.name} found {hits} times",
                      said)
        self.assert_equal_trees(support.snapshot(self.tree), before)

    def test_a_moved_anchor_stops_everything(self):
        self.assertGreater(len(self.edits), 25)
        for edit in self.edits:
            path = self.tree / edit.file
            data = path.read_bytes()
            moved = data.replace(edit.anchor.encode(), b"")
            self.assertNotEqual(moved, data)
            path.write_bytes(moved)
            self.refuse_edit(edit, 0)
            path.write_bytes(data)

    def test_a_doubled_anchor_stops_everything(self):
        for edit in self.edits:
            path = self.tree / edit.file
            data = path.read_bytes()
            path.write_bytes(data + edit.anchor.encode())
            self.refuse_edit(edit, 2)
            path.write_bytes(data)

    def test_the_message_shows_the_nearest_line(self):
        self.change("include/linux/socket.h", "#define AF_MAX\t\t46\t",
                    "#define AF_MAX\t\t48\t")
        said = self.refuse("apply", "`#define AF_MAX 46")
        self.assertRegex(said, r"nearest: line \d+, `#define AF_MAX 48")


    def test_an_anchor_that_became_ambiguous_stops_an_update(self):
        self.succeed("apply")
        data = self.repo / "scripts/overlay.d/edits/netns.toml"
        text = data.read_text()
        self.assertIn("#include <net/netns/mctp.h>\n", text)
        data.write_text(text.replace("#include <net/netns/mctp.h>\n",
                                     "#endif\n"))
        self.refuse("apply", "include/net/net_namespace.h: anchor `#endif`",
                    "expected once")


class Taken(support.OverlayTest):
    """Somebody else was here before."""

    def test_another_family_with_our_number(self):
        self.change("include/linux/socket.h",
                    "\n#define AF_MAX\t\t46\t/* For now.. */\n",
                    "\n#define AF_OTHER\t46\t/* other */\n\n"
                    "#define AF_MAX\t\t47\t/* For now.. */\n")
        self.refuse("apply", "include/linux/socket.h", "AF_MAX 47",
                    "somebody else")

    def test_af_max_raised_by_somebody_else(self):
        self.change("include/linux/socket.h", "#define AF_MAX\t\t46\t",
                    "#define AF_MAX\t\t47\t")
        self.refuse("apply", "include/linux/socket.h", "AF_MAX 47")

    def test_our_number_taken_without_a_change_of_af_max(self):
        self.change("include/linux/socket.h", "\n#define AF_MAX\t\t46\t",
                    "#define AF_OTHER\t46\n\n#define AF_MAX\t\t46\t")
        self.refuse("apply", "include/linux/socket.h", "AF_OTHER 46")

    def test_another_option_level_with_our_number(self):
        self.change("include/linux/socket.h", "#define SOL_VSOCK\t287\n",
                    "#define SOL_VSOCK\t287\n#define SOL_OTHER\t288\n")
        self.refuse("apply", "include/linux/socket.h", "SOL_OTHER 288")

    def test_another_protocol_with_our_number(self):
        self.change("include/uapi/linux/in.h",
                    "  IPPROTO_RAW = 255,",
                    "  IPPROTO_OTHER = 253,\n  IPPROTO_RAW = 255,")
        self.refuse("apply", "include/uapi/linux/in.h", "253")

    def test_a_foreign_file_at_our_path(self):
        path = self.tree / "net/mynewtcp/Kconfig"
        path.parent.mkdir()
        path.write_text("config SOMETHING_ELSE\n")
        self.refuse("apply", "net/mynewtcp/Kconfig", "in the way")

    def test_a_directory_at_our_path(self):
        (self.tree / "net/mynewtcp/Kconfig").mkdir(parents=True)
        self.refuse("apply", "net/mynewtcp/Kconfig", "in the way")

    def test_an_equal_file_at_our_path_becomes_ours(self):
        path = self.tree / "net/mynewtcp/Kconfig"
        path.parent.mkdir()
        path.write_bytes((self.repo / "net/mynewtcp/Kconfig").read_bytes())
        self.succeed("apply")
        self.succeed("revert")
        self.assertFalse(path.exists())

    def test_somebody_elses_new_tcp(self):
        self.change("net/socket.c", '\t[PF_MCTP]\t= "PF_MCTP",\n',
                    '\t[PF_MCTP]\t= "PF_MCTP",\n'
                    '\t[PF_INET_NEW_TCP]\t= "another one",\n')
        self.refuse("apply", "net/socket.c:", "another one")


class ChangedByHand(support.OverlayTest):
    """Our own lines and files, changed in the tree."""

    def setUp(self):
        super().setUp()
        self.succeed("apply")

    def test_our_line_in_an_upstream_file(self):
        self.change("net/socket.c", '= "PF_INET_NEW_TCP"', '= "MINE"')
        self.refuse("apply", "net/socket.c:")
        self.refuse("revert", "net/socket.c:")

    def test_one_of_several_lines_in_an_upstream_file(self):
        self.change("include/linux/socket.h", "#define SOL_NEWTCP\t288",
                    "#define SOL_NEWTCP\t299")
        self.refuse("apply", "include/linux/socket.h")
        self.refuse("revert", "include/linux/socket.h")

    def test_a_delivered_file(self):
        self.deliver("net/mynewtcp/engine/sample.rs", "// newer\n")
        path = self.tree / "net/mynewtcp/engine/sample.rs"
        path.write_text("// changed in the tree\n")
        self.refuse("apply", "net/mynewtcp/engine/sample.rs: changed")
        self.refuse("revert", "net/mynewtcp/engine/sample.rs: changed")
        path.unlink()
        self.succeed("apply")
        self.assertEqual(path.read_text(), "// newer\n")

    def test_a_delivered_file_changed_on_both_sides_alike(self):
        for root in (self.repo, self.tree):
            (root / "net/mynewtcp/engine/sample.rs").write_text("// same\n")
        self.succeed("apply")
        self.succeed("revert")
        self.assert_pristine()

    def test_a_deleted_file_is_put_back(self):
        path = self.tree / "net/mynewtcp/engine/sample.rs"
        path.unlink()
        self.succeed("apply")
        self.assertTrue(path.exists())

    def test_a_damaged_manifest(self):
        (self.tree / support.MANIFEST).write_text("{")
        self.refuse("apply", support.MANIFEST, "damaged")

    def test_a_manifest_of_another_version(self):
        (self.tree / support.MANIFEST).write_text('{"format": 99}')
        self.refuse("revert", support.MANIFEST, "another version")


class BadData(support.OverlayTest):
    """Mistakes in the edit files are found before a tree is touched."""

    def write_edit(self, text):
        """Add one edit file to the repository."""
        self.deliver("scripts/overlay.d/edits/zz.toml", text)

    def test_two_edits_with_one_anchor(self):
        edit = ('[[edit]]\nfile = "net/Kconfig"\nwhere = "after"\n'
                'anchor = "if INET\\n"\ntext = "x\\n"\n'
                'why = "w"\npatch = "p"\n')
        self.write_edit(edit + edit)
        self.refuse("apply", "net/Kconfig", "share the anchor")

    def test_an_edit_that_could_not_be_undone(self):
        self.succeed("apply")
        self.write_edit('[[edit]]\nfile = "net/Makefile"\nwhere = "replace"\n'
                        'anchor = "obj-$(CONFIG_UNIX)\\t\\t+= unix/\\n"\n'
                        'text = "obj-$(CONFIG_TLS)\\t\\t+= tls/\\n"\n'
                        'why = "w"\npatch = "p"\n')
        self.refuse("apply", "net/Makefile", "stands there 2 times")

    def test_an_unknown_key_is_named(self):
        self.write_edit('[[edit]]\nfile = "net/Kconfig"\nanchour = "x"\n')
        self.refuse("apply", "zz.toml", "anchour")

    def test_broken_toml_is_named(self):
        self.write_edit("[[edit\n")
        self.refuse("apply", "zz.toml")

    def test_an_edit_for_another_version_is_left_out(self):
        self.write_edit('[[edit]]\nfile = "net/Kconfig"\nwhere = "after"\n'
                        'anchor = "nowhere\\n"\ntext = "x\\n"\n'
                        'why = "w"\npatch = "p"\nversions = ["9.9"]\n')
        self.succeed("apply")
