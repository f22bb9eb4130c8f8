# SPDX-License-Identifier: GPL-2.0
"""The same calls on TCP and on NEW_TCP, hundreds of scripts of them.

ORACLE=PATTERN in the environment runs the scripts of these names only and prints what differs.
"""

import fnmatch
import os

from harness import family as families
from harness.netns import Namespace
from harness.registry import Failure, case, check
from oracle.compare import Explanations, differences
from oracle.explained import EXPLAINED
from oracle.more import more_scripts
from oracle.scripts import all_scripts

# Fewer means that a generator has gone wrong.
FEWEST = 300
SHOWN = 100


def show(found):
    """The differences, those alike together."""
    alike = {}
    for one in found:
        alike.setdefault((one.step, one.tcp, one.newtcp), []).append(one.script)
    lines = []
    for (step, tcp, newtcp), names in alike.items():
        more = f" and {len(names) - 2} more" if len(names) > 2 else ""
        lines.append(f"{' '.join(str(word) for word in step)}: TCP {tcp}, NEW_TCP {newtcp}: "
                     f"{', '.join(names[:2])}{more}")
    return "\n".join(lines[:SHOWN])


def run_all(context, door, complete):
    """Run the scripts; fails on differences without a reason, and, if this is the complete
    run, on reasons without a difference."""
    wanted = os.environ.get("ORACLE", "*")
    scripts = [(number, script) for number, script in enumerate([*all_scripts(), *more_scripts()])
               if fnmatch.fnmatchcase(script.name, wanted)]
    explanations = Explanations(EXPLAINED)
    unexplained = []
    ns = Namespace("oracle")
    try:
        ns.net.up("lo")
        ns.write_sysctl("net.ipv6.conf.lo.accept_dad", 0)
        # A TCP without Fast Open, and buffers of the same size.
        ns.write_sysctl("net.ipv4.tcp_fastopen", 0)
        for knob in ("rmem", "wmem"):
            ns.write_sysctl(f"net.mynewtcp.{knob}", ns.read(f"/proc/sys/net/ipv4/tcp_{knob}"))
        with ns.inside():
            for number, script in scripts:
                found = differences(script, number, families.tcp(), context.family, door)
                unexplained += [one for one in found if not explanations.explain(one)]
    finally:
        ns.close()
    print(f"# {len(scripts)} scripts, {sum(len(script.steps) for _, script in scripts)} calls, "
          f"{len(unexplained)} unexplained differences")
    if wanted != "*":
        complete = False
    else:
        check(len(scripts) >= FEWEST, f"only {len(scripts)} scripts")
    if unexplained:
        raise Failure(f"{len(unexplained)} differences without a reason:\n{show(unexplained)}")
    if complete and explanations.unused():
        raise Failure(f"reasons for what does not differ: {explanations.unused()}")


@case(versions=(4,), families=("newtcp",), timeout=240)
def oracle_family_door(context):
    """socket(AF_INET_NEW_TCP, ...) answers as TCP does."""
    run_all(context, "family", complete=True)


@case(versions=(4,), families=("newtcp",), timeout=240)
def oracle_inet_door(context):
    """socket(AF_INET or AF_INET6, ..., IPPROTO_NEWTCP) answers as TCP does."""
    run_all(context, "inet", complete=False)
