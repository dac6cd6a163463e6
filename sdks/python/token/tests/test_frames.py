"""The parser reads what the encoder writes."""

import unittest

from dragoman_token.error import Result
from dragoman_token.frames import decode, encode
from dragoman_token.frames_generated import Token  # type: ignore[attr-defined]


class Frames(unittest.TestCase):
    def test_the_parser_reads_what_the_encoder_writes(self) -> None:
        frames = [
            encode(1, 1, openid="o1", openid_type="wechat", info='{"name":"Ann"}'),
            encode(2, 2, openid="茶", openid_type="wechat", auto_create=-1, info=""),
            encode(3, 3, app_code=7, token=0xFEDC_BA98_7654_3210, info="{}"),
            encode(4, 4, room_id=4_294_967_295),
            encode(5, 5, room_id=0),
            encode(6, 6, room_id=1),
            encode(7, 7),
            encode(8, 8),
            encode(9, 9),
            encode(10, 10, room_id=1, text="热水"),
        ]
        contents = [decode(frame[4:]) for frame in frames]
        self.assertEqual([(one.command, one.sequence) for one in contents], [(at, at) for at in range(1, 11)])
        login = contents[1].body
        self.assertEqual(
            (login.openid.text, login.openid_type.text, login.auto_create, login.info.text), ("茶", "wechat", -1, "")
        )
        self.assertEqual(contents[2].body.token, 0xFEDC_BA98_7654_3210)
        self.assertEqual(contents[3].body.room_id, 4_294_967_295)
        self.assertEqual(contents[9].body.text.text, "热水")

    def test_results_have_the_numbers_of_the_description(self) -> None:
        generated = {one.name.upper(): one.value for one in Token.Result}
        self.assertEqual({one.name: one.value for one in Result}, generated)


if __name__ == "__main__":
    unittest.main()
