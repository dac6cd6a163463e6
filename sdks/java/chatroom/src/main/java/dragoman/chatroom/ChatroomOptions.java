package dragoman.chatroom;

import java.time.Duration;
import java.util.Map;

/**
 * How a client behaves: {@code ChatroomOptions.defaults().withHeartbeat(…)}.
 *
 * @param headers of every request and of the WebSocket's handshake, such as {@code X-Api-Key}
 * @param callTimeout the longest that a call waits for its answer, and a new connection for being made
 * @param heartbeat how often the WebSocket is pinged; it is given up where nothing comes for twice as long
 * @param backoffFirst how long to wait before the second attempt to connect again; doubled from attempt to attempt
 * @param backoffMax the longest wait between attempts
 * @param eventsMax maximum number of unread events; older ones are dropped
 */
public record ChatroomOptions(
        Map<String, String> headers,
        Duration callTimeout,
        Duration heartbeat,
        Duration backoffFirst,
        Duration backoffMax,
        int eventsMax) {
    public static ChatroomOptions defaults() {
        return new ChatroomOptions(
                Map.of(), Duration.ofSeconds(10), Duration.ofSeconds(20), Duration.ofMillis(250), Duration.ofSeconds(30), 10_000);
    }

    public ChatroomOptions withHeaders(Map<String, String> headers) {
        return new ChatroomOptions(Map.copyOf(headers), callTimeout, heartbeat, backoffFirst, backoffMax, eventsMax);
    }

    public ChatroomOptions withCallTimeout(Duration callTimeout) {
        return new ChatroomOptions(headers, callTimeout, heartbeat, backoffFirst, backoffMax, eventsMax);
    }

    public ChatroomOptions withHeartbeat(Duration heartbeat) {
        return new ChatroomOptions(headers, callTimeout, heartbeat, backoffFirst, backoffMax, eventsMax);
    }

    public ChatroomOptions withBackoff(Duration first, Duration max) {
        return new ChatroomOptions(headers, callTimeout, heartbeat, first, max, eventsMax);
    }

    public ChatroomOptions withEventsMax(int eventsMax) {
        return new ChatroomOptions(headers, callTimeout, heartbeat, backoffFirst, backoffMax, eventsMax);
    }
}
