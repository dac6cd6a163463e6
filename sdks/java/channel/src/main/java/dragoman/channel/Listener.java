package dragoman.channel;

import com.fasterxml.jackson.core.JacksonException;
import dragoman.channel.model.Gap;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Messages as they come. The dialect has no push, so a listener asks again and again, each time from where the last reply ended, so
 * that a reply that is lost loses no message. For one thread at a time.
 */
public final class Listener<M> {
    /** Asks once, from where the cursor says. */
    interface Source<M> {
        Batch<M> receive(Long after) throws ChannelException, IOException;
    }

    /** @param gap what is not kept any more of the messages before these; null for nothing */
    record Batch<M>(long cursor, List<M> messages, Gap gap) {}

    private final Source<M> source;
    private final ListenOptions options;
    private final ArrayDeque<M> ready = new ArrayDeque<>();
    private Long cursor;
    private Duration backoff;

    Listener(Source<M> source, ListenOptions options) {
        this.source = source;
        this.options = options;
        this.cursor = options.after();
        this.backoff = options.backoffFirst();
    }

    /** Waits for the next one, also where the gateway is away for a while. */
    public M next() throws ChannelException, IOException, InterruptedException {
        while (ready.isEmpty()) {
            try {
                Batch<M> batch = source.receive(cursor);
                backoff = options.backoffFirst();
                cursor = batch.cursor();
                if (batch.gap() != null) {
                    options.onGap().accept(batch.gap());
                }
                ready.addAll(batch.messages());
                if (ready.isEmpty()) {
                    Thread.sleep(options.interval().toMillis());
                }
            } catch (ChannelException refusal) {
                if (!refusal.isPassing()) {
                    throw refusal;
                }
                pause(refusal.retryAfter());
            } catch (JacksonException | InterruptedIOException notForLack) {
                throw notForLack;
            } catch (IOException away) {
                pause(Duration.ZERO);
            }
        }
        return ready.removeFirst();
    }

    /** Up to which message was asked for, so that another listener can go on after it; null before the first reply. */
    public Long cursor() {
        return cursor;
    }

    private void pause(Duration least) throws InterruptedException {
        Thread.sleep(jittered(backoff, least));
        Duration doubled = backoff.multipliedBy(2);
        backoff = doubled.compareTo(options.backoffMax()) < 0 ? doubled : options.backoffMax();
    }

    /** Between half and all of a wait, in ms, so that clients which lost the same gateway do not come back at once. */
    static long jittered(Duration wait, Duration least) {
        double share = 0.5 + ThreadLocalRandom.current().nextDouble() / 2;
        return Math.max((long) (wait.toMillis() * share), least.toMillis());
    }
}
