package dragoman.token;

import java.time.Duration;

/**
 * How a client behaves: {@code TokenOptions.defaults().withHeartbeat(…)}.
 *
 * @param messages whether the gateway tells of messages from the start, and not only once something was posted
 * @param callTimeout the longest that a call waits for its reply, and a new connection for being made
 * @param heartbeat after so long without a request a heartbeat is sent; a connection on which nothing comes for twice as long is given up
 * @param backoffFirst how long to wait before the second attempt to connect again; doubled from attempt to attempt
 * @param backoffMax the longest wait between attempts
 * @param eventsMax maximum number of unread events; older ones are dropped
 */
public record TokenOptions(
        boolean messages, Duration callTimeout, Duration heartbeat, Duration backoffFirst, Duration backoffMax, int eventsMax) {
    public static TokenOptions defaults() {
        return new TokenOptions(
                true, Duration.ofSeconds(10), Duration.ofSeconds(20), Duration.ofMillis(250), Duration.ofSeconds(30), 10_000);
    }

    public TokenOptions withMessages(boolean messages) {
        return new TokenOptions(messages, callTimeout, heartbeat, backoffFirst, backoffMax, eventsMax);
    }

    public TokenOptions withCallTimeout(Duration callTimeout) {
        return new TokenOptions(messages, callTimeout, heartbeat, backoffFirst, backoffMax, eventsMax);
    }

    public TokenOptions withHeartbeat(Duration heartbeat) {
        return new TokenOptions(messages, callTimeout, heartbeat, backoffFirst, backoffMax, eventsMax);
    }

    public TokenOptions withBackoff(Duration first, Duration max) {
        return new TokenOptions(messages, callTimeout, heartbeat, first, max, eventsMax);
    }

    public TokenOptions withEventsMax(int eventsMax) {
        return new TokenOptions(messages, callTimeout, heartbeat, backoffFirst, backoffMax, eventsMax);
    }
}
