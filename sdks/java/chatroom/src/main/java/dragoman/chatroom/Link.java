package dragoman.chatroom;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dragoman.chatroom.model.FromServer;
import dragoman.chatroom.model.ServerError;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.net.http.WebSocket;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Predicate;

/** One WebSocket: packets out, packets in, and which of them answers what. */
final class Link implements WebSocket.Listener {
    private final ObjectMapper mapper;
    private final Consumer<Object> unasked;
    private final StringBuilder text = new StringBuilder();
    private final CompletableFuture<String> ended = new CompletableFuture<>();
    private volatile long heardAt = System.nanoTime();
    private volatile WebSocket socket;

    /** Callers that wait for an answer, in the order of the requests. Its own lock. */
    private final List<Waiting> waiting = new ArrayList<>();

    /** One packet is written at a time. */
    private final Object writing = new Object();

    private record Waiting(Predicate<Object> fits, CompletableFuture<Void> answer) {}

    /** {@code unasked} is given every packet that is not an error reply. */
    Link(ObjectMapper mapper, Consumer<Object> unasked) {
        this.mapper = mapper;
        this.unasked = unasked;
    }

    void opened(WebSocket socket) {
        this.socket = socket;
    }

    /** Sends a packet, and waits until one comes that fits, or the gateway says no. */
    void ask(Object packet, Predicate<Object> fits, Duration timeout) throws ChatroomException, IOException, InterruptedException {
        Waiting one = new Waiting(fits, new CompletableFuture<>());
        String json = mapper.writeValueAsString(packet);
        try {
            synchronized (writing) {
                synchronized (waiting) {
                    if (ended.isDone()) {
                        throw new IOException("the connection ended");
                    }
                    waiting.add(one);
                }
                await(socket.sendText(json, true), timeout);
            }
            await(one.answer(), timeout);
        } finally {
            synchronized (waiting) {
                waiting.remove(one);
            }
        }
    }

    private static void await(CompletableFuture<?> what, Duration timeout) throws ChatroomException, IOException, InterruptedException {
        try {
            what.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException late) {
            throw new SocketTimeoutException("no answer in time");
        } catch (ExecutionException failed) {
            if (failed.getCause() instanceof ChatroomException refusal) {
                throw refusal;
            }
            throw new IOException("the connection ended before the answer came", failed.getCause());
        }
    }

    /** Pings until the connection ends; tells why it did. */
    String untilEnd(Duration heartbeat) throws InterruptedException {
        while (true) {
            try {
                return ended.get(heartbeat.toMillis(), TimeUnit.MILLISECONDS);
            } catch (TimeoutException stillThere) {
                if (System.nanoTime() - heardAt > 2 * heartbeat.toNanos()) {
                    end("nothing came for too long");
                    continue;
                }
                synchronized (writing) {
                    socket.sendPing(ByteBuffer.allocate(0));
                }
            } catch (ExecutionException impossible) {
                return impossible.toString();
            }
        }
    }

    /** Ends the connection and fails all pending requests. */
    void end(String why) {
        List<Waiting> left;
        synchronized (waiting) {
            if (!ended.complete(why)) {
                return;
            }
            left = List.copyOf(waiting);
            waiting.clear();
        }
        if (socket != null) {
            socket.abort();
        }
        left.forEach(one -> one.answer().completeExceptionally(new IOException(why)));
    }

    @Override
    public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
        heardAt = System.nanoTime();
        text.append(part);
        if (last) {
            String whole = text.toString();
            text.setLength(0);
            try {
                received(mapper.readValue(whole, FromServer.class).getActualInstance());
            } catch (JsonProcessingException unknown) {
                // A packet of a newer gateway: clients pass over what they do not know.
            }
        }
        socket.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onPong(WebSocket socket, ByteBuffer message) {
        heardAt = System.nanoTime();
        socket.request(1);
        return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket socket, int status, String reason) {
        end("closed by the gateway: " + status + " " + reason);
        return null;
    }

    @Override
    public void onError(WebSocket socket, Throwable error) {
        end(error.getMessage() == null ? error.toString() : error.getMessage());
    }

    /** A success is what the whole room receives; an error belongs to the oldest request. */
    private void received(Object packet) {
        Waiting answered = null;
        synchronized (waiting) {
            if (packet instanceof ServerError) {
                answered = waiting.isEmpty() ? null : waiting.remove(0);
            } else {
                for (Iterator<Waiting> each = waiting.iterator(); answered == null && each.hasNext(); ) {
                    Waiting one = each.next();
                    if (one.fits().test(packet)) {
                        answered = one;
                        each.remove();
                    }
                }
            }
        }
        if (!(packet instanceof ServerError error)) {
            unasked.accept(packet);
            if (answered != null) {
                answered.answer().complete(null);
            }
        } else if (answered != null) {
            answered.answer().completeExceptionally(new ChatroomException(error.getData().getMsg(), 0));
        }
    }
}
