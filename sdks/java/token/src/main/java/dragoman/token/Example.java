package dragoman.token;

/**
 * Makes an account and a room, says hello in it, and shows what others say there, in whatever dialect, until it has heard enough.
 *
 * <pre>java -cp target/classes dragoman.token.Example [NAME [ROOM [ADDRESS [HOW_MANY]]]]</pre>
 *
 * NAME and ROOM without quotes and backslashes: they go into JSON as they are.
 */
public final class Example {
    private Example() {}

    public static void main(String[] arguments) throws Exception {
        String name = arguments.length > 0 ? arguments[0] : "ann-" + ProcessHandle.current().pid();
        String room = arguments.length > 1 ? arguments[1] : "tea-" + ProcessHandle.current().pid();
        String address = arguments.length > 2 ? arguments[2] : "127.0.0.1:5100";
        int howMany = arguments.length > 3 ? Integer.parseInt(arguments[3]) : 1;

        try (TokenClient client = TokenClient.connect(address)) {
            client.createAccount(name, "example", "{\"name\":\"" + name + "\"}");
            long ownUid = client.login(name, "example", 0, "").uid();
            System.out.println("signed in: " + name);

            long token = client.applyForToken().token();
            long roomId = client.createRoomOnce(1, token, name + " makes " + room, "{\"name\":\"" + room + "\"}").roomId();
            client.enterRoom(roomId);
            client.post(roomId, "hello from " + name);
            System.out.println("said hello in: " + room);

            for (int heard = 0; heard < howMany; ) {
                TokenEvent event = client.nextEvent();
                if (event instanceof TokenEvent.Notified told
                        && told.body() instanceof Token.MessageNotification message
                        && message.uid() != ownUid) {
                    System.out.println("heard " + message.uid() + ": " + message.text().text());
                    client.post(roomId, "thanks for " + message.text().text());
                    heard += 1;
                } else if (event instanceof TokenEvent.Disconnected lost) {
                    System.out.println("connection lost: " + lost.why());
                } else if (event instanceof TokenEvent.Reconnected) {
                    System.out.println("connected again");
                }
            }

            try {
                client.enterRoom(4_000_000_000L);
            } catch (TokenException error) {
                System.out.println("refused: TokenException " + error.number() + ": " + error.getMessage());
            }
        }
    }
}
