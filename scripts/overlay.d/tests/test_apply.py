# SPDX-License-Identifier: GPL-2.0
"""apply and revert when all is well, or was interrupted."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
from unittest import mock

import support
from overlaylib import write

EDIT_FILE = "scripts/overlay.d/edits/family.toml"


class Everything(support.OverlayTest):
    """The repository as it is, onto a tree and off it again."""

    WHOLE = True

    def test_apply_delivers_every_file_and_every_edit(self):
        self.succeed("apply")
        have = support.snapshot(self.tree)
        for name in support.sources.names(self.repo):
            self.assertEqual(have[name][0], (self.repo / name).read_bytes())
        for edit in support.edits.load(self.repo / "scripts/overlay.d/edits"):
            self.assertTrue(self.has(edit.file, edit.applied), edit.name)

    def test_revert_gives_the_identical_tree(self):
        dirs = support.directories(self.tree)
        self.succeed("apply", "--with-test-edits")
        self.assertNotEqual(support.snapshot(self.tree), self.pristine)
        self.succeed("revert")
        self.assert_pristine()
        self.assertEqual(support.directories(self.tree), dirs)


class Apply(support.OverlayTest):
    """What apply leaves behind, and what revert takes away."""

    def test_apply_twice_is_apply_once(self):
        self.succeed("apply")
        before = support.snapshot(self.tree), support.stamps(self.tree)
        self.succeed("apply")
        self.assert_equal_trees(support.snapshot(self.tree), before[0])
        self.assertEqual(support.stamps(self.tree), before[1])

    def test_revert_of_a_pristine_tree_does_nothing(self):
        self.assertIn("nothing to revert", self.succeed("revert"))
        self.assert_pristine()

    def test_only_the_changed_file_gets_a_new_time_stamp(self):
        self.succeed("apply")
        before = support.stamps(self.tree)
        self.deliver("net/mynewtcp/engine/sample.rs", "// changed\n")
        self.succeed("apply")
        after = support.stamps(self.tree)
        changed = {name for name, stamp in after.items()
                   if before.get(name) != stamp}
        self.assertEqual(changed, {"net/mynewtcp/engine/sample.rs",
                                   support.MANIFEST})

    def test_a_file_that_left_the_repository_leaves_the_tree(self):
        self.deliver("net/mynewtcp/attic/old.rs", "// old\n")
        self.succeed("apply")
        self.assertTrue((self.tree / "net/mynewtcp/attic/old.rs").exists())
        shutil.rmtree(self.repo / "net/mynewtcp/attic")
        self.succeed("apply")
        self.assertFalse((self.tree / "net/mynewtcp/attic").exists())

    def test_an_edit_that_changed_is_brought_up_to_date(self):
        self.succeed("apply")
        data = self.repo / EDIT_FILE
        data.write_text(data.read_text().replace(
            "[PF_INET_NEW_TCP] =", "[PF_INET_NEW_TCP]\t="))
        self.succeed("apply")
        self.assertTrue(self.has("net/socket.c", "[PF_INET_NEW_TCP]\t="))
        self.assertFalse(self.has("net/socket.c", "[PF_INET_NEW_TCP] ="))
        self.succeed("revert")
        self.assert_pristine()

    def test_an_edit_whose_text_grew_leaves_no_remains(self):
        data = self.repo / EDIT_FILE
        short = data.read_text()
        line = "#define PF_INET_NEW_TCP\tAF_INET_NEW_TCP\n"
        more = line + "#define ONE_LINE_MORE 1\n"
        data.write_text(short.replace(line, more))
        self.succeed("apply")
        data.write_text(short)
        self.succeed("apply")
        self.assertFalse(self.has("include/linux/socket.h", "ONE_LINE_MORE"))
        self.succeed("revert")
        self.assert_pristine()

    def test_edits_that_left_the_repository_leave_the_tree(self):
        self.succeed("apply")
        (self.repo / "scripts/overlay.d/edits/selinux.toml").unlink()
        self.succeed("apply")
        self.assertFalse(self.has("security/selinux/hooks.c",
                                  "INET_NEW_TCP_SOCKET__NODE_BIND"))

    def test_test_edits_come_and_go_with_the_option(self):
        script = "arch/um/kernel/dyn.lds.S"
        self.succeed("apply")
        self.assertFalse(self.has(script, ".lbss"))
        self.succeed("apply", "--with-test-edits")
        self.assertTrue(self.has(script, ".lbss"))
        self.succeed("apply")
        self.assertFalse(self.has(script, ".lbss"))

    def test_nothing_is_sourced_that_is_not_delivered(self):
        shutil.rmtree(self.repo / "net")
        shutil.rmtree(self.repo / "Documentation", ignore_errors=True)
        self.succeed("apply")
        have = support.snapshot(self.tree)
        for name in ("net/Kconfig", "net/Makefile",
                     "Documentation/networking/index.rst"):
            self.assertEqual(have[name], self.pristine[name])

    def test_executable_files_stay_executable(self):
        name = "tools/testing/selftests/net/mynewtcp/probe.sh"
        self.deliver(name, "#!/bin/sh\n")
        self.succeed("apply")
        os.chmod(self.repo / name, 0o755)
        self.succeed("apply")
        self.assertTrue(os.access(self.tree / name, os.X_OK))

    def test_a_tree_of_hard_links_leaves_the_original_alone(self):
        copy = self.home / "copy"
        shutil.copytree(self.tree, copy, copy_function=os.link)
        status, said = self.run_overlay("apply", where=copy)
        self.assertEqual(status, 0, said)
        self.assert_pristine()

    def test_the_program_itself_runs(self):
        done = subprocess.run(
            [sys.executable, support.REPO / "scripts/overlay", "apply",
             "--tree", self.tree], check=False, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue((self.tree / support.MANIFEST).exists())


class OwnWork(support.OverlayTest):
    """The user's own changes are not ours to touch."""

    def test_changes_elsewhere_in_an_edited_file_stay(self):
        self.succeed("apply")
        path = self.tree / "net/socket.c"
        path.write_text(path.read_text() + "/* mine */\n")
        self.succeed("apply")
        self.succeed("revert")
        want = self.pristine["net/socket.c"][0] + b"/* mine */\n"
        self.assertEqual(path.read_bytes(), want)

    def test_a_file_beside_ours_stays(self):
        self.succeed("apply")
        mine = self.tree / "net/mynewtcp/notes.txt"
        mine.write_text("mine\n")
        self.succeed("revert")
        self.assertEqual(mine.read_text(), "mine\n")

    def test_a_file_put_back_by_git_is_edited_again(self):
        self.succeed("apply")
        after = support.snapshot(self.tree)
        (self.tree / "net/socket.c").write_bytes(
            self.pristine["net/socket.c"][0])
        self.succeed("apply")
        self.assert_equal_trees(support.snapshot(self.tree), after)

    def test_build_output_is_not_delivered(self):
        for name in ("net/mynewtcp/x.o", "net/mynewtcp/.x.o.cmd",
                     "tools/mynewtcp/target/debug/sim",
                     "net/mynewtcp/bindings_generated.rs"):
            self.deliver(name, "")
        self.succeed("apply")
        for name in ("net/mynewtcp/x.o", "tools/mynewtcp/target",
                     "net/mynewtcp/bindings_generated.rs"):
            self.assertFalse((self.tree / name).exists(), name)

    def test_what_git_ignores_is_not_delivered(self):
        self.deliver("net/mynewtcp/.gitignore", "scratch.txt\n")
        self.deliver("net/mynewtcp/scratch.txt", "")
        self.deliver("net/mynewtcp/untracked.rs", "")
        subprocess.run(["git", "init", "-q", self.repo], check=True)
        self.succeed("apply")
        self.assertFalse((self.tree / "net/mynewtcp/scratch.txt").exists())
        self.assertTrue((self.tree / "net/mynewtcp/untracked.rs").exists())

    def test_the_repositorys_own_top_level_is_not_delivered(self):
        for name in ("Kconfig", "Makefile", "README.md"):
            self.deliver(name, "ours\n")
        self.succeed("apply")
        have = support.snapshot(self.tree)
        self.assertNotIn("README.md", have)
        self.assertEqual(have["Makefile"], self.pristine["Makefile"])
        self.assertEqual(have["Kconfig"], self.pristine["Kconfig"])


class Interrupted(support.OverlayTest):
    """A run that was stopped half way can be run again."""

    def test_apply_without_its_manifest_finds_its_edits(self):
        self.succeed("apply")
        after = support.snapshot(self.tree)
        (self.tree / support.MANIFEST).unlink()
        self.succeed("apply")
        self.assert_equal_trees(support.snapshot(self.tree), after)
        self.succeed("revert")
        self.assert_pristine()

    def test_a_full_disk_changes_nothing(self):
        real = write._stage
        for limit in (0, 1, 7):
            calls = iter(range(1000))

            def stage(*words, calls=calls, limit=limit):
                if next(calls) == limit:
                    raise OSError(28, "No space left on device", "disk")
                return real(*words)

            with mock.patch.object(write, "_stage", stage):
                self.refuse("apply", "No space left on device",
                            "nothing was changed")
        self.assert_pristine()

    def _kill_after(self, verb, renames):
        """Run a command that dies after so many renames; how many it did."""
        real, done = os.replace, 0

        def replace(source, target):
            nonlocal done
            if done == renames:
                raise KeyboardInterrupt
            done += 1
            real(source, target)

        with mock.patch.object(write.os, "replace", replace):
            try:
                self.run_overlay(verb)
            except KeyboardInterrupt:
                pass
        return done

    def test_apply_finishes_what_a_killed_apply_began(self):
        renames = self._kill_after("apply", None)
        whole = support.snapshot(self.tree)
        self.succeed("revert")
        self.assertGreater(renames, 30)
        for point in (0, 1, 2, 9, renames // 2, renames - 2, renames - 1):
            self.assertEqual(self._kill_after("apply", point), point)
            self.succeed("apply")
            self.assert_equal_trees(support.snapshot(self.tree), whole)
            self.succeed("revert")
            self.assert_pristine()

    def test_revert_undoes_what_a_killed_update_began(self):
        edits = self.repo / EDIT_FILE
        line = "#define PF_INET_NEW_TCP\tAF_INET_NEW_TCP\n"
        for renames in range(0, 6):
            self.succeed("apply")
            old = edits.read_text()
            edits.write_text(old.replace(line, line + "#define ALSO 1\n"))
            self.deliver("net/mynewtcp/engine/sample.rs", f"// {renames}\n")
            self._kill_after("apply", renames)
            edits.write_text(old)
            self.succeed("revert")
            self.assert_pristine()

    def test_the_manifest_names_what_was_done(self):
        self.succeed("apply")
        table = json.loads((self.tree / support.MANIFEST).read_text())
        self.assertEqual(sorted(table["files"]),
                         support.sources.names(self.repo))
        edited = {record["file"] for group in table["edits"]
                  for record in group}
        self.assertIn("include/linux/socket.h", edited)
        self.assertFalse(pathlib.Path(table["edits"][0][0]["file"])
                         .is_absolute())
