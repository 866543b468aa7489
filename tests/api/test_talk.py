"""Replies, conversations, opt-outs and calls: whose they are, and what is refused."""

from __future__ import annotations

from typing import Any

from bridge.model import CallRow, Confidence, Conversation, Inbound, parse_id, show_id
from bridge.store import Changes

from .support import Service, run

CAROL = "+48600700800"


async def replied(s: Service) -> tuple[str, str]:
    """A reply to a message of `client`; its id, and the conversation's."""
    made = await s.order(ref="visit 7")
    message = parse_id("msg", made["id"])
    assert message is not None
    stored = await s.store.read(lambda view: view.message(message))
    assert stored is not None
    inbound, conversation = s.ids.next(), s.ids.next()

    def work(changes: Changes) -> None:
        changes.add_conversation(
            Conversation(
                id=conversation, channel="one", sim="1", peer=stored.to, recipient=stored.to[-8:],
                started_at=s.clock.now(), last=inbound, last_at=s.clock.now(), received=1,
            )
        )  # fmt: skip
        changes.add_to_conversation(conversation, [message])
        changes.add_inbound(
            Inbound(
                id=inbound, channel="one", sim="1", sender=stored.to, received_at=s.clock.now(), text="Yes",
                in_reply_to=message, confidence=Confidence.NEWEST, reply_ref="visit 7", reply_client=stored.client,
                conversation=conversation,
            ),
            [],
        )  # fmt: skip
        changes.add_call(CallRow(id=s.ids.next(), channel="one", sim="1", caller=CAROL, at=s.clock.now()))

    await s.store.write(work)
    return show_id("inb", inbound), show_id("cnv", conversation)


def test_the_reference_of_a_message_is_its_own_clients() -> None:
    async def test(s: Service) -> None:
        inbound, conversation = await replied(s)
        _, stranger = await s.new_key("stranger", "send")
        for client, ref, turns in ((s.client, "visit 7", 2), (s.admin, "visit 7", 2), (s.as_key(stranger), None, 1)):
            shown = (await client.get(f"/v1/inbound/{inbound}")).json()["in_reply_to"]
            assert (shown["ref"], shown["confidence"]) == (ref, "newest")
            listed = (await client.get("/v1/inbound")).json()["items"][0]["in_reply_to"]
            assert listed["ref"] == ref
            thread = (await client.get(f"/v1/conversations/{conversation}")).json()
            assert len(thread["items"]) == turns
            assert {t["direction"] for t in thread["items"]} == ({"in", "out"} if turns == 2 else {"in"})

    run(test)


def test_an_answer_needs_a_send_key_and_goes_to_who_wrote() -> None:
    async def test(s: Service) -> None:
        inbound, _ = await replied(s)
        path = f"/v1/inbound/{inbound}/reply"
        assert (await s.reader.post(path, json={"text": "Hi"})).status_code == 403
        taken = await s.client.post(path, json={"text": "Hi", "ref": "back"})
        assert taken.status_code == 202
        assert taken.json()["ref"] == "back"
        assert taken.headers["location"].endswith(taken.json()["id"])

    run(test)


def test_the_lists_are_filtered_and_refuse_what_they_do_not_know() -> None:
    async def test(s: Service) -> None:
        await replied(s)
        wanted: list[tuple[str, int]] = [
            ("/v1/conversations?channel=one", 1),
            ("/v1/conversations?channel=gsm9", 0),
            ("/v1/calls?caller=%2B48600700800", 1),
            ("/v1/calls?channel=gsm9", 0),
            ("/v1/opt-outs", 0),
        ]
        for path, count in wanted:
            answer = await s.reader.get(path)
            assert (answer.status_code, len(answer.json()["items"])) == (200, count), path
        for path in (
            "/v1/conversations?sim=1",
            "/v1/calls?cursor=x",
            "/v1/opt-outs?number=x",
            "/v1/inbound?withheld=1",
        ):
            refused: dict[str, Any] = (await s.reader.get(path)).json()
            assert refused["code"] == "bad_parameter", path
        for path, code in (
            ("/v1/conversations/cnv_0000000000001", "conversation_not_found"),
            ("/v1/conversations/x", "conversation_not_found"),
        ):
            assert (await s.reader.get(path)).json()["code"] == code

    run(test)
