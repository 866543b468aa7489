"""Nothing private leaves in a support bundle: canaries are seeded wherever something private may stand."""

from __future__ import annotations

import asyncio
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

from tests.cli.support import Result, command
from tests.flows.gateway import gateway

NUMBER, TEXT, SECRET = "447700900123", "canary text of a stranger", "s3cret-canary"


def unpacked(file: Path) -> Iterator[tuple[str, str]]:
    with tarfile.open(file) as opened:
        for member in opened.getmembers():
            content = opened.extractfile(member)
            assert content is not None
            yield member.name, content.read().decode()


def test_canaries_stay_here(tmp_path: Path) -> None:
    config, bundle = tmp_path / "config.toml", tmp_path / "out.tar.gz"
    password = tmp_path / "password"
    password.write_text(SECRET)
    password.chmod(0o600)
    config.write_text(
        f'[service]\nstate_dir = "{tmp_path}/state"\n[[modem]]\nid = "gsm1"\nport = "/dev/none"\nsmsc = "+{NUMBER}"\n'
        f"per_day = 10\n"
        f'power_command = ["/bin/relay", "{SECRET}"]\n[[provider]]\nid = "c"\ndriver = "serwersms"\n'
        f'username = "{SECRET}"\npassword_file = "{password}"\n'
    )

    async def run() -> Result:
        async with gateway(tmp_path) as gate:
            id = await gate.send(f"+{NUMBER}", TEXT)
            await gate.status(id, "sent", "delivered")
            return await asyncio.to_thread(command, "support-bundle", bundle, "--config", config)

    result = asyncio.run(run())
    assert result.exit == 0, result.err
    again = command("support-bundle", bundle, "--config", config)
    assert again.exit == 73  # never overwrites
    assert bundle.stat().st_mode & 0o077 == 0
    later = tmp_path / "later.tar.gz"  # the recording is written when the service stops
    assert command("support-bundle", later, "--config", config).exit == 0
    content = {f"{file.name}/{name}": text for file in (bundle, later) for name, text in unpacked(file)}
    names = {name.partition("/gsmbridge-support/")[2] for name in content}
    assert {"doctor.json", "configuration.json", "channels.json", "metrics.txt", "recordings/modem0.now"} <= names
    told = json.loads(next(text for name, text in content.items() if name.endswith("configuration.json")))
    assert (told["modem"][0]["per_day"], told["modem"][0]["smsc"]) == (10, "(set)")
    config.write_text(config.read_text() + f'password = "{SECRET}"\n')  # a mistake, but one that people make
    broken = tmp_path / "broken.tar.gz"
    assert command("support-bundle", broken, "--config", config).exit == 0
    content |= {f"broken/{name}": text for name, text in unpacked(broken)}
    for name, text in content.items():
        for canary in (NUMBER, TEXT, SECRET):
            assert canary not in text, f"{canary} in {name}"
