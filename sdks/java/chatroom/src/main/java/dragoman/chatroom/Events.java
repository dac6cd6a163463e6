package dragoman.chatroom;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;

/** A queue of events that drops its oldest where it would grow over a limit. */
final class Events {
    private final ArrayDeque<ChatroomEvent> queue = new ArrayDeque<>();
    private final int max;
    private long missed;
    private boolean ended;

    Events(int max) {
        this.max = Math.max(1, max);
    }

    synchronized void push(ChatroomEvent event) {
        if (queue.size() == max) {
            queue.removeFirst();
            missed += 1;
        }
        queue.addLast(event);
        notifyAll();
    }

    /** Nothing more will come. */
    synchronized void end() {
        ended = true;
        notifyAll();
    }

    /** The next one; null after the end, or when the time is over. Without a timeout it waits on. */
    synchronized ChatroomEvent next(Duration timeout) throws InterruptedException {
        long until = timeout == null ? 0 : System.nanoTime() + timeout.toNanos();
        while (missed == 0 && queue.isEmpty() && !ended) {
            if (timeout == null) {
                wait();
                continue;
            }
            long leftMs = TimeUnit.NANOSECONDS.toMillis(until - System.nanoTime() + 999_999);
            if (leftMs <= 0) {
                return null;
            }
            wait(leftMs);
        }
        if (missed > 0) {
            ChatroomEvent dropped = new ChatroomEvent.Missed(missed);
            missed = 0;
            return dropped;
        }
        return queue.pollFirst();
    }
}
