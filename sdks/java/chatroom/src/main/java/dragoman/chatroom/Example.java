package dragoman.chatroom;

import java.util.concurrent.TimeUnit;

/**
 * Registers, says hello in a room, and shows what others say there, in whatever dialect, until it has heard enough.
 *
 * <p>Arguments: {@code [NAME [ROOM [BASE_URL [WEBSOCKET_URL [HOW_MANY]]]]]}
 */
public final class Example {
    private Example() {}

    public static void main(String[] arguments) throws Exception {
        String name = arguments.length > 0 ? arguments[0] : "ann-" + ProcessHandle.current().pid();
        String room = arguments.length > 1 ? arguments[1] : "TEST";
        String baseUrl = arguments.length > 2 ? arguments[2] : "http://127.0.0.1:5000";
        String webSocketUrl = arguments.length > 3 ? arguments[3] : "ws://127.0.0.1:2333";
        int howMany = arguments.length > 4 ? Integer.parseInt(arguments[4]) : 1;

        try (ChatroomClient client = new ChatroomClient(baseUrl, webSocketUrl)) {
            long tel = TimeUnit.MILLISECONDS.toMicros(System.currentTimeMillis()) + ProcessHandle.current().pid() % 1000;
            client.register(tel, name, "tea for two");
            client.login(tel, "tea for two");
            System.out.println("signed in: " + name);

            if (client.rooms().stream().noneMatch(one -> one.getName().equals(room))) {
                client.createRoom(room);
            }
            client.join(room);
            client.say(room, "hello from " + name);
            System.out.println("said hello in: " + room);

            for (int heard = 0; heard < howMany; ) {
                ChatroomEvent event = client.nextEvent();
                if (event instanceof ChatroomEvent.Said said && !said.data().getUser().getUserName().equals(name)) {
                    System.out.println("heard " + said.data().getUser().getUserName() + ": " + said.data().getMsg());
                    client.say(room, "thanks for " + said.data().getMsg());
                    heard += 1;
                } else if (event instanceof ChatroomEvent.Disconnected lost) {
                    System.out.println("connection lost: " + lost.why());
                } else if (event instanceof ChatroomEvent.Reconnected) {
                    System.out.println("connected again");
                }
            }

            try {
                client.takeSeat("no room of this name");
            } catch (ChatroomException error) {
                System.out.println("refused: ChatroomException " + error.code() + ": by HTTP " + error.status());
            }
        }
    }
}
