"""What the manual names exists, and what exists is in the manual. Commands and settings have their own tests."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from bridge.api.problems import CATALOGUE
from bridge.model import DoubtPolicy, Status
from drivers.modems.profiles import all_profiles

ROOT = Path(__file__).parents[2]
MANUAL = ROOT / "bridge" / "manual"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(MANUAL.glob("*.md"))]


def anchors(page: Path) -> set[str]:
    """Headings as they are linked to."""
    found = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if not target.is_file() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_the_two_commands_stand_at_the_top_of_the_readme() -> None:
    top = (ROOT / "README.md").read_text()[:600]
    for piece in ("make demo", "make test", "sudo apt install python3-venv make"):
        assert piece in top


def test_every_status_and_policy_is_explained() -> None:
    text = (MANUAL / "delivery.md").read_text()
    for word in ["scheduled", *Status]:
        assert f"| `{word}` |" in text
    for policy in DoubtPolicy:
        assert f"| `{policy}`" in text


def test_every_profile_is_listed_and_no_other() -> None:
    table = (MANUAL / "modems.md").read_text().split("## Which ones work")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == {p.name for p in all_profiles()}


def codes_of_the_driver() -> set[str]:
    """First arguments of the errors by which a modem does not come up."""
    found = set()
    for path in (ROOT / "drivers" / "modems").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in ("StartupError", "LinkError", "fail") and isinstance(node.args[0].value, str):
                found.add(node.args[0].value)
    return found


def test_every_code_of_a_modem_that_does_not_come_up_has_a_remedy() -> None:
    codes = codes_of_the_driver()
    assert len(codes) > 15
    table = (MANUAL / "modems.md").read_text().split("## When one does not come up")[1]
    assert {code for code in codes if f"`{code}`" not in table} == set()


def test_the_command_line_knows_what_each_refusal_means() -> None:
    from bridge.cli.client import Refusal
    from bridge.cli.exits import Exit

    for code, sort in CATALOGUE.items():
        refusal = Refusal(sort.status, {"code": code, "detail": "x"})
        assert (refusal.exit is Exit.TEMPFAIL) == sort.retryable, code
        assert (refusal.exit is Exit.INTERNAL) == (code == "internal_error"), code
