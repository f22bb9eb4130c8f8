# SPDX-License-Identifier: GPL-2.0
"""check: every touch point has a line, and a missing one is noticed."""

import support


class Check(support.OverlayTest):
    """One line per touch point."""

    def lines(self, expected_status):
        """The lines that check prints, without its last."""
        status, said = self.run_overlay("check")
        self.assertEqual(status, expected_status, said)
        return said.splitlines()[:-1]

    def test_an_applied_tree_is_in_order(self):
        self.succeed("apply")
        for line in self.lines(0):
            self.assertTrue(line.startswith("ok "), line)

    def test_a_pristine_tree_misses_every_edit(self):
        lines = self.lines(1)
        for edit in support.edits.load(self.repo / "scripts/overlay.d/edits"):
            found = [line for line in lines if line.startswith("MISSING ")
                     and f" {edit.file} " in line and edit.why in line]
            self.assertEqual(len(found), 1, edit.name)
        self.assert_pristine()

    def test_each_edit_that_is_undone_is_noticed(self):
        self.succeed("apply", "--with-test-edits")
        for edit in support.all_edits(self.repo / "scripts/overlay.d"):
            path = self.tree / edit.file
            text = path.read_text()
            path.write_text(text.replace(edit.applied, edit.pristine))
            bad = [line for line in self.lines(1)
                   if not line.startswith("ok ")]
            path.write_text(text)
            self.assertEqual(len(bad), 1, bad)
            self.assertIn(edit.file, bad[0])
            self.assertIn(edit.why, bad[0])

    def test_a_delivered_file_that_is_gone_or_changed_is_noticed(self):
        self.succeed("apply")
        name = "net/mynewtcp/engine/sample.rs"
        (self.tree / name).write_text("// other\n")
        self.assertIn(f"CHANGED {name}", "\n".join(self.lines(1)))
        (self.tree / name).unlink()
        self.assertIn(f"MISSING {name}", "\n".join(self.lines(1)))

    def test_a_place_that_no_longer_follows_is_noticed(self):
        self.succeed("apply")
        self.change("include/uapi/linux/net.h", "#define NPROTO\t\tAF_MAX",
                    "#define NPROTO\t\t46")
        self.assertIn("CHANGED include/uapi/linux/net.h",
                      "\n".join(self.lines(1)))

    def test_the_tables_of_the_kernel_are_all_named(self):
        text = "\n".join(self.lines(1))
        for name in ("include/linux/socket.h", "net/socket.c",
                     "net/core/sock.c", "net/Kconfig", "net/Makefile",
                     "security/selinux/include/classmap.h",
                     "security/selinux/hooks.c", "include/trace/events/sock.h",
                     "include/uapi/linux/in.h",
                     "tools/include/uapi/linux/in.h",
                     "tools/perf/trace/beauty/include/linux/socket.h",
                     "include/net/net_namespace.h", "MAINTAINERS",
                     "Documentation/networking/index.rst",
                     "tools/testing/selftests/net/socket.c",
                     "tools/testing/selftests/Makefile"):
            self.assertIn(f" {name} ", text)
