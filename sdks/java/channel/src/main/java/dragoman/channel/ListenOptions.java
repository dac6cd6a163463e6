package dragoman.channel;

import java.time.Duration;

/**
 * How a listener asks: {@code ListenOptions.defaults().withInterval(…)}.
 *
 * @param after where to read from: the cursor of an earlier listener; null for what was not received yet
 * @param interval how long to wait where there is nothing new
 * @param backoffFirst the first wait where the gateway is away or says to slow down; doubled from time to time
 * @param backoffMax the longest such wait
 */
public record ListenOptions(Long after, Duration interval, Duration backoffFirst, Duration backoffMax) {
    public static ListenOptions defaults() {
        return new ListenOptions(null, Duration.ofSeconds(1), Duration.ofMillis(250), Duration.ofSeconds(15));
    }

    public ListenOptions withAfter(Long after) {
        return new ListenOptions(after, interval, backoffFirst, backoffMax);
    }

    public ListenOptions withInterval(Duration interval) {
        return new ListenOptions(after, interval, backoffFirst, backoffMax);
    }

    public ListenOptions withBackoff(Duration first, Duration max) {
        return new ListenOptions(after, interval, first, max);
    }
}
