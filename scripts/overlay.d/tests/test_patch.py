# SPDX-License-Identifier: GPL-2.0
"""patch: a series that git am takes and that gives the same tree."""

import os
import pathlib
import re
import subprocess
from concurrent import futures
from unittest import mock

import support

# What checkpatch says that is wanted as it is, and why.
ACCEPTED = {
    "FILE_PATH_CHANGES": "MAINTAINERS is changed by a patch of its own",
    "LEADING_SPACE": "in.h and sock.c indent those tables with spaces",
    "CONST_STRUCT": "the table in struct net is a copy that is written to",
}


# The patches that carry nothing but files of ours.
OWN_PATCHES = ("mynewtcp-", "tools-mynewtcp-")


def _checking_tree(place):
    """The kernel tree without the script that says who maintains a file.

    The checker asks it about each file, whether anybody still does, and that
    takes most of its time.
    """
    (place / "scripts").mkdir(parents=True)
    for path in (*support.KERNEL.iterdir(), *support.KERNEL.glob("scripts/*")):
        name = str(path.relative_to(support.KERNEL))
        if name not in ("scripts", "scripts/get_maintainer.pl"):
            (place / name).symlink_to(path)
    return place


def _checkpatch(path, tree):
    """The complaints of the kernel's own checker about one patch."""
    done = subprocess.run(
        ["perl", tree / "scripts/checkpatch.pl", "--strict",
         "--terse", "--no-summary", "--show-types", path],
        cwd=tree, check=False, capture_output=True, text=True)
    return [f"{path.name}:{line.split(':', 1)[1]}"
            for line in done.stdout.splitlines() if ".patch:" in line]


def _is_accepted(line):
    # A cover letter lists the new files, however long their names are.
    listing = line.startswith("0000-") and ":COMMIT_LOG_LONG_LINE:" in line
    return listing or any(f":{kind}:" in line for kind in ACCEPTED)


class PatchTest(support.OverlayTest):
    """A test with an identity for git, and nothing else of the user's."""

    WHOLE = True

    def setUp(self):
        super().setUp()
        identity = self.home / "gitconfig"
        identity.write_text("[user]\n\tname = A Hacker\n"
                            "\temail = hacker@example.org\n")
        self.use_git_config(identity)
        self.output = self.home / "patches"

    def use_git_config(self, path):
        """Let git read this configuration and no other."""
        wanted = {name: value for name, value in os.environ.items()
                  if not name.startswith("GIT_")}
        wanted.update(GIT_CONFIG_GLOBAL=str(path), GIT_CONFIG_NOSYSTEM="1",
                      GIT_CEILING_DIRECTORIES=str(self.home.parent))
        patcher = mock.patch.dict(os.environ, wanted, clear=True)
        patcher.start()
        self.addCleanup(patcher.stop)
        here = os.getcwd()
        os.chdir(self.home)
        self.addCleanup(os.chdir, here)

    def git(self, *words):
        """Run git in the tree."""
        done = subprocess.run(["git", "-C", self.tree, *words], check=False,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        return done.stdout

    def series(self):
        """Write the series; its files in order, without the cover letter."""
        self.succeed("patch", "-o", str(self.output))
        return sorted(self.output.glob("*.patch"))[1:]

    def commit_tree(self):
        """Make the pristine tree a git repository."""
        self.git("init", "-q", "--template=")
        self.git("add", "-f", ".")
        self.git("commit", "-q", "-m", "pristine")


class Series(PatchTest):
    """The patches themselves."""

    def applied(self):
        """What apply makes of the tree, which is pristine again after."""
        self.succeed("apply")
        want = support.snapshot(self.tree, with_manifest=False)
        self.succeed("revert")
        return want

    def test_git_am_gives_the_tree_that_apply_gives(self):
        want = self.applied()
        said = self.succeed("patch", "-o", str(self.output))
        self.commit_tree()
        command = re.search(r"git (am .*)/\*\.patch$", said.strip()).group(1)
        self.git(*command.split()[:-1], *sorted(self.output.glob("*.patch")))
        have = {name: value for name, value in
                support.snapshot(self.tree, with_manifest=False).items()
                if not name.startswith(".git/")}
        self.assert_equal_trees(have, want)

    def test_apply_and_revert_work_on_a_tree_made_with_git_am(self):
        patches = self.series()
        self.commit_tree()
        self.git("am", "-q", *patches)
        self.succeed("check")
        self.succeed("apply")
        self.assertEqual(self.git("status", "--porcelain",
                                  "--untracked-files=no"), "")

    def test_an_applied_tree_gives_the_same_patches(self):
        def bodies():
            return [re.sub(r"(?m)^Date: .*$", "", path.read_text())
                    for path in self.series()]
        first = bodies()
        self.succeed("apply", "--with-test-edits")
        self.assertEqual(bodies(), first)
        self.assertNotIn(".lbss", "".join(first))

    def test_every_patch_is_signed_and_has_a_message(self):
        for path in self.series():
            text = path.read_text()
            message = text.split("\n---\n")[0]
            self.assertIn("\nFrom: A Hacker <hacker@example.org>\n", message)
            self.assertIn("\nSigned-off-by: A Hacker <hacker@example.org>",
                          message)
            body = message.split("\n\n", 1)[1].split("Signed-off-by")[0]
            self.assertGreater(len(body.split()), 8, path.name)

    def test_the_cover_letter_is_filled_in(self):
        count = len(self.series())
        cover = (self.output / "0000-cover-letter.patch").read_text()
        self.assertIn(f"[PATCH 00/{count:02}] NEW_TCP", cover)
        self.assertNotIn("***", cover)

    def test_every_step_is_complete(self):
        """What must not come before something else does not."""
        patches = self.series()
        self.commit_tree()
        for path in patches:
            self.git("am", "-q", path)
            text = path.name
            number = re.search(r"AF_MAX\t\t(\d+)", (
                self.tree / "include/linux/socket.h").read_text()).group(1)
            for name in ("include/classmap.h", "hooks.c"):
                limit = self.tree / "security/selinux" / name
                self.assertIn(f"#if PF_MAX > {number}\n", limit.read_text(),
                              text)
            for edit in support.edits.load(
                    self.repo / "scripts/overlay.d/edits"):
                if edit.requires and self.has(edit.file, edit.applied):
                    self.assertTrue((self.tree / edit.requires).exists(),
                                    text)
            if self.has("net/Kconfig", "mynewtcp"):
                for name in support.sources.names(self.repo):
                    if name.startswith(("net/", "include/")):
                        self.assertTrue((self.tree / name).exists(), text)

    def test_checkpatch_has_no_errors(self):
        self.series()
        patches = sorted(self.output.glob("*.patch"))
        if not support.IS_FIRST_KERNEL:
            # Our own files are the same on every kernel, and were checked.
            patches = [path for path in patches
                       if not path.name[5:].startswith(OWN_PATCHES)]
        tree = _checking_tree(self.home / "checking")
        with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            complaints = sum(
                pool.map(lambda path: _checkpatch(path, tree), patches), [])
        for line in complaints:
            if not _is_accepted(line):
                print(f"\n# checkpatch: {line}", end="")
        errors = [line for line in complaints if ": ERROR:" in line]
        self.assertEqual(errors, [])


class Refused(PatchTest):
    """Reasons not to write a series."""

    def refuse_patch(self, *expected):
        """patch must stop and say why."""
        status, said = self.run_overlay("patch", "-o", str(self.output))
        self.assertEqual(status, 1, said)
        for text in expected:
            self.assertIn(text, said)

    def test_without_an_identity(self):
        self.use_git_config(pathlib.Path(os.devnull))
        self.refuse_patch("user.name", "signed off")
        self.assertFalse(self.output.exists())

    def test_into_a_directory_with_other_files(self):
        self.output.mkdir()
        (self.output / "mine.txt").write_text("mine\n")
        self.refuse_patch("mine.txt")
        self.assertTrue((self.output / "mine.txt").exists())

    def test_over_an_older_series(self):
        count = len(self.series())
        (self.output / "0099-left-over.patch").write_text("old\n")
        self.assertEqual(len(self.series()), count)

    def test_where_apply_would_stop(self):
        self.change("net/socket.c", '\t[PF_MCTP]\t= "PF_MCTP",\n', "")
        self.refuse_patch("net/socket.c", "found 0 times")
        self.assertFalse(self.output.exists())

    def test_with_a_file_that_no_patch_takes(self):
        letters = self.repo / "scripts/overlay.d/series.toml"
        letters.write_text(letters.read_text().replace(
            '"tools/mynewtcp/*"', '"tools/mynewtcp/sim/*"'))
        self.deliver("tools/mynewtcp/0.rs", "// new\n")
        self.refuse_patch("no patch takes the file tools/mynewtcp/0.rs")
