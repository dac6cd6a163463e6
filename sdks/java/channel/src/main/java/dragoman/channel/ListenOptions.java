package dragoman.channel;

import dragoman.channel.model.Gap;
import java.time.Duration;
import java.util.function.Consumer;

/**
 * How a listener asks: {@code ListenOptions.defaults().withInterval(…)}.
 *
 * @param after where to read from: the cursor of an earlier listener; null for what was not received yet
 * @param interval how long to wait where there is nothing new
 * @param backoffFirst the first wait where the gateway is away or says to slow down; doubled from time to time
 * @param backoffMax the longest such wait
 * @param onGap is called, before the messages that follow it, with a gap: messages that are not kept any more
 */
public record ListenOptions(
        Long after, Duration interval, Duration backoffFirst, Duration backoffMax, Consumer<Gap> onGap) {
    public static ListenOptions defaults() {
        return new ListenOptions(null, Duration.ofSeconds(1), Duration.ofMillis(250), Duration.ofSeconds(15), gap -> {});
    }

    public ListenOptions withAfter(Long after) {
        return new ListenOptions(after, interval, backoffFirst, backoffMax, onGap);
    }

    public ListenOptions withInterval(Duration interval) {
        return new ListenOptions(after, interval, backoffFirst, backoffMax, onGap);
    }

    public ListenOptions withBackoff(Duration first, Duration max) {
        return new ListenOptions(after, interval, first, max, onGap);
    }

    public ListenOptions withOnGap(Consumer<Gap> onGap) {
        return new ListenOptions(after, interval, backoffFirst, backoffMax, onGap);
    }
}
