package dragoman.channel;

import dragoman.channel.model.ChannelMessage;
import java.time.Duration;

/**
 * Registers, says hello in a channel, and shows what others say there, in whatever dialect, until it has heard enough.
 *
 * <p>Arguments: {@code [NAME [CHANNEL [BASE_URL [HOW_MANY]]]]}
 */
public final class Example {
    private Example() {}

    public static void main(String[] arguments) throws Exception {
        String name = arguments.length > 0 ? arguments[0] : "ann-" + ProcessHandle.current().pid();
        String channel = arguments.length > 1 ? arguments[1] : "TEST";
        String baseUrl = arguments.length > 2 ? arguments[2] : "http://127.0.0.1:5004";
        int howMany = arguments.length > 3 ? Integer.parseInt(arguments[3]) : 1;

        ChannelClient client = new ChannelClient(baseUrl);
        client.register(name, "tea for two");
        client.login(name, "tea for two");
        System.out.println("signed in: " + name);

        String hello = "hello from " + name;
        client.sendToChannel(channel, hello);
        System.out.println("said hello in: " + channel);

        ListenOptions often = ListenOptions.defaults().withInterval(Duration.ofMillis(200));
        Listener<ChannelMessage> listener = client.listenToChannel(channel, often);
        boolean isNew = false;
        for (int heard = 0; heard < howMany; ) {
            ChannelMessage message = listener.next();
            boolean isOwn = message.getName().equals(name);
            // A new member is given the last messages of a channel, too.
            isNew |= isOwn && message.getMsg().equals(hello);
            if (!isOwn && isNew) {
                System.out.println("heard " + message.getName() + ": " + message.getMsg());
                client.sendToChannel(channel, "thanks for " + message.getMsg());
                heard += 1;
            }
        }

        try {
            client.send("no user of this name", "hello?");
        } catch (ChannelException error) {
            System.out.println("refused: ChannelException " + error.code().number() + ": " + error.getMessage());
        }
    }
}
