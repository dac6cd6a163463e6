package dragoman.token;

import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.util.HexFormat;

/** Frames as on the dialect's page. Needs no test framework: {@code java -cp target/classes dragoman.token.FrameTest}. */
final class FrameTest {
    private FrameTest() {}

    public static void main(String[] arguments) throws Exception {
        aLoginIsAsOnTheDialectsPage();
        framesThatFollowEachOtherAreRead();
        whatIsNoFrameIsAnError();
        theOldestEventsAreDroppedAndCounted();
        System.out.println("frames and events are as they should be");
    }

    private static void aLoginIsAsOnTheDialectsPage() {
        byte[] login = Frame.of(new Request.Login("o1", "wechat", 1, ""), 3);
        check(HexFormat.of().formatHex(login).equals("0000001a00020000000300026f310006776563686174" + "0000000100000000"));
        byte[] large = Frame.of(new Request.PostMessage(1, "x".repeat(10_000)), 1);
        check(large.length == 4 + 6 + 4 + 4 + 10_000);
    }

    private static void framesThatFollowEachOtherAreRead() throws IOException {
        DataInputStream in = stream("00000010800a0000000b0000000000000000002a"
                + "0000001f80010000000200010015746865206964656e746974792069732074616b656e"
                + "0000002c40030000000000000001000000000000271000000000000000" + "2a0000018bcfe56cd200000006e783ade6b0b4"
                + "000000064fff00000000");
        Frame posted = Frame.read(in);
        check(posted.isReplyTo(10, 11) && !posted.isReplyTo(9, 11) && !posted.isReplyTo(10, 12) && posted.refusal() == null);
        check(((Token.PostMessageReply) posted.body()).messageId() == 42);
        TokenException refusal = Frame.read(in).refusal();
        check(refusal.code() == Token.Result.E_USER_EXIST && refusal.getMessage().equals("the identity is taken"));
        var message = (Token.MessageNotification) Frame.read(in).body();
        check(message.uid() == 10000 && message.time() == 1_700_000_001_234L && message.text().text().equals("热水"));
        check(Frame.read(in).body() == null);
    }

    private static void whatIsNoFrameIsAnError() {
        for (String bytes : new String[] {"ffffffff", "000000024001", "0000000a40010000000000000001", "0000000a4001"}) {
            try {
                Frame.read(stream(bytes));
                throw new AssertionError(bytes);
            } catch (IOException expected) {
                check(expected.getMessage() == null || expected.getMessage().startsWith("not the token protocol"));
            }
        }
    }

    private static void theOldestEventsAreDroppedAndCounted() throws InterruptedException {
        Events events = new Events(2);
        for (String why : new String[] {"1", "2", "3"}) {
            events.push(new TokenEvent.Disconnected(why));
        }
        events.end();
        check(events.next(null).equals(new TokenEvent.Missed(1)));
        check(events.next(null).equals(new TokenEvent.Disconnected("2")));
        check(events.next(null).equals(new TokenEvent.Disconnected("3")));
        check(events.next(null) == null);
    }

    private static DataInputStream stream(String hex) {
        return new DataInputStream(new ByteArrayInputStream(HexFormat.of().parseHex(hex)));
    }

    private static void check(boolean holds) {
        if (!holds) {
            throw new AssertionError();
        }
    }
}
