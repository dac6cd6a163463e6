package dragoman.token;

import dragoman.token.kaitai.KaitaiStruct;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A connection to the token dialect of a gateway that comes back when it is lost: logged in as before, and in the same rooms, whose
 * messages of the meantime come then, each once. It may be used by several threads at once.
 *
 * <p>One thread owns the reading side. It connects, restores what the client had, reads until the connection ends, and begins again.
 * A second one sends heartbeats. Callers write for themselves and wait for the reply.
 */
public final class TokenClient extends TokenCalls implements AutoCloseable {
    private final InetSocketAddress address;
    private final TokenOptions options;
    private final Events events;
    private final Resume resume;

    /** How the reason begins where the gateway failed at a moment when the request may have been done. */
    private static final String OUTCOME_UNKNOWN = "the outcome is unknown";

    /** What a new connection is given back. Its own lock. */
    private final Memory memory = new Memory();

    /** The writing side. Its lock is never held while something is read, so that reading goes on while a write waits for it. */
    private final Object line = new Object();

    private OutputStream out;
    private Socket socket;
    private int sequence;
    private long writtenAt;
    private boolean closed;

    /** Callers that wait for a reply, in the order of the requests. Its own lock. */
    private final ArrayDeque<Waiting> waiting = new ArrayDeque<>();

    private record Waiting(int sequence, int command, CompletableFuture<Frame> answer) {}

    private static final class Memory {
        private Request.Login login;
        private final Set<Long> rooms = new TreeSet<>();
    }

    private TokenClient(InetSocketAddress address, TokenOptions options) {
        this.address = address;
        this.options = options;
        this.events = new Events(options.eventsMax());
        this.resume = new Resume(events);
    }

    /** Connects to an address such as {@code 127.0.0.1:5100}. */
    public static TokenClient connect(String address) throws IOException {
        return connect(address, TokenOptions.defaults());
    }

    public static TokenClient connect(String address, TokenOptions options) throws IOException {
        int colon = address.lastIndexOf(':');
        if (colon < 0) {
            throw new IllegalArgumentException(address + " has no port");
        }
        String host = address.substring(0, colon).replaceAll("^\\[|]$", "");
        var at = new InetSocketAddress(host, Integer.parseInt(address.substring(colon + 1)));
        TokenClient client = new TokenClient(at, options);
        DataInputStream in = client.open();
        client.start("dragoman-token reader", () -> client.keep(in));
        client.start("dragoman-token heartbeat", client::beat);
        return client;
    }

    private void start(String name, Runnable work) {
        Thread thread = new Thread(work, name);
        thread.setDaemon(true);
        thread.start();
    }

    /** Waits for the next event. It is null after {@link #close()}. */
    public TokenEvent nextEvent() throws InterruptedException {
        return events.next(null);
    }

    /** Waits for the next event, but not longer than so; then it is null. */
    public TokenEvent nextEvent(Duration timeout) throws InterruptedException {
        return events.next(timeout);
    }

    @Override
    public KaitaiStruct call(Request request) throws TokenException, IOException, InterruptedException {
        KaitaiStruct reply = options.messages() && request instanceof Request.EnterRoom room ? enter(room) : ask(request);
        remember(request);
        return reply;
    }

    /** Sends a request; one that has a name of the client's, until its outcome is known. */
    private KaitaiStruct ask(Request request) throws TokenException, IOException, InterruptedException {
        boolean isOnce = request instanceof Request.PostOnce || request instanceof Request.CreateRoomOnce;
        return isOnce ? exchangeOnce(request) : exchange(request);
    }

    /** Posts to a room that was entered, once; returns the message's id. */
    public long post(long roomId, String text) throws TokenException, IOException, InterruptedException {
        return post(roomId, text, UUID.randomUUID().toString());
    }

    /**
     * As {@link #post(long, String)}, with a name for the message, of 1 to 200 bytes. Where the connection ends before the reply, it is
     * sent again with this name, until there has been no connection for the call timeout. Posted again by another run of the program,
     * it is the same message for a day.
     */
    public long post(long roomId, String text, String clientId) throws TokenException, IOException, InterruptedException {
        return ((Token.PostOnceReply) exchangeOnce(new Request.PostOnce(roomId, clientId, text))).messageId();
    }

    private KaitaiStruct exchangeOnce(Request request) throws TokenException, IOException, InterruptedException {
        for (long pauseMs = options.backoffFirst().toMillis(); ; pauseMs = Math.min(pauseMs * 2, options.backoffMax().toMillis())) {
            try {
                return exchange(request);
            } catch (ConnectionLost again) {
                continue;
            } catch (TokenException refusal) {
                if (!refusal.getMessage().contains(OUTCOME_UNKNOWN)) {
                    throw refusal;
                }
            }
            Thread.sleep(pauseMs);
        }
    }

    /** Enters a room, and catches up with what came after the newest message of it, or with what comes from now on. */
    private KaitaiStruct enter(Request.EnterRoom request) throws TokenException, IOException, InterruptedException {
        long roomId = request.roomId();
        boolean isKnown;
        synchronized (memory) {
            isKnown = memory.rooms.contains(roomId);
        }
        Long newest = isKnown ? resume.newest(roomId) : null;
        resume.begin(roomId, newest != null ? newest : ((Token.CatchUpReply) exchange(Resume.beginning(roomId))).cursor());
        boolean done = false;
        try {
            KaitaiStruct entered = exchange(request);
            for (Request.CatchUp next; (next = resume.next(roomId)) != null; ) {
                exchange(next);
                if (!resume.await(roomId, System.nanoTime() + options.callTimeout().toNanos())) {
                    throw new SocketTimeoutException("the missed messages do not come");
                }
            }
            done = true;
            return entered;
        } catch (ConnectionLost lost) {
            // Of a room that it knows, the reader catches up on a new connection.
            done = isKnown;
            throw lost;
        } finally {
            if (!done) {
                resume.giveUp(roomId);
            }
        }
    }

    /** The connection ended before the reply came. */
    private static final class ConnectionLost extends IOException {
        private static final long serialVersionUID = 1;

        ConnectionLost(String why, Throwable cause) {
            super(why, cause);
        }
    }

    private KaitaiStruct exchange(Request request) throws TokenException, IOException, InterruptedException {
        long until = System.nanoTime() + options.callTimeout().toNanos();
        CompletableFuture<Frame> answer = new CompletableFuture<>();
        synchronized (line) {
            while (out == null && !closed) {
                long leftMs = (until - System.nanoTime()) / 1_000_000;
                if (leftMs <= 0) {
                    throw new SocketTimeoutException("no connection in time");
                }
                line.wait(leftMs);
            }
            if (closed) {
                throw new IOException("the client is closed");
            }
            write(request, answer);
        }
        Frame reply = await(answer, until);
        if (reply.refusal() != null) {
            throw reply.refusal();
        }
        return reply.body();
    }

    /** Ends the connection. Calls and waiting for events end, also in other threads. */
    @Override
    public void close() {
        synchronized (line) {
            closed = true;
            out = null;
            quietlyClose(socket);
            line.notifyAll();
        }
        events.end();
    }

    private static Frame await(CompletableFuture<Frame> answer, long until) throws IOException, InterruptedException {
        try {
            return answer.get(Math.max(0, until - System.nanoTime()), TimeUnit.NANOSECONDS);
        } catch (TimeoutException late) {
            throw new SocketTimeoutException("no reply in time");
        } catch (ExecutionException failed) {
            throw new ConnectionLost(failed.getCause().getMessage(), failed.getCause());
        }
    }

    /** With the line's lock held. A connection that cannot be written to is ended, which its reader notices. */
    private void write(Request request, CompletableFuture<Frame> answer) throws IOException {
        sequence += 1;
        byte[] frame = Frame.of(request, sequence);
        synchronized (waiting) {
            waiting.addLast(new Waiting(sequence, request.command(), answer));
        }
        writtenAt = System.nanoTime();
        try {
            out.write(frame);
        } catch (IOException error) {
            quietlyClose(socket);
            throw new ConnectionLost(error.getMessage(), error);
        }
    }

    /** Keeps what a new connection needs. */
    private void remember(Request request) {
        synchronized (memory) {
            if (request instanceof Request.Login login) {
                // The account exists now, and its info is stored.
                memory.login = new Request.Login(login.openid(), login.openidType(), 0, "");
                memory.rooms.clear();
            } else if (request instanceof Request.LeaveApplication) {
                memory.login = null;
                memory.rooms.clear();
            } else if (request instanceof Request.EnterRoom room) {
                memory.rooms.add(room.roomId());
            } else if (request instanceof Request.LeaveRoom room) {
                memory.rooms.remove(room.roomId());
            }
        }
    }

    /** The reader: from connection to connection, until the client is closed. */
    private void keep(DataInputStream in) {
        while (in != null) {
            String why = readAll(in);
            boolean ended;
            synchronized (line) {
                out = null;
                quietlyClose(socket);
                ended = closed;
            }
            resume.forgetHeld();
            forgetWaiting(ended ? "the client is closed" : "the connection ended before the reply came");
            if (ended) {
                return;
            }
            events.push(new TokenEvent.Disconnected(why));
            in = reconnect();
            if (in != null) {
                events.push(new TokenEvent.Reconnected());
            }
        }
    }

    /** Dispatches every frame until the connection ends; returns the reason. */
    private String readAll(DataInputStream in) {
        try {
            while (true) {
                Frame frame = Frame.read(in);
                if (!frame.isReply()) {
                    notified(frame);
                    continue;
                }
                Waiting next;
                synchronized (waiting) {
                    next = waiting.peekFirst();
                    if (next != null && frame.isReplyTo(next.command(), next.sequence())) {
                        waiting.removeFirst();
                    } else {
                        next = null;
                    }
                }
                if (next != null) {
                    if (frame.refusal() == null) {
                        resume.replied(frame.body());
                    }
                    next.answer().complete(frame);
                } else {
                    TokenException farewell = frame.refusal();
                    return farewell == null ? "a reply to what was not asked" : farewell.getMessage();
                }
            }
        } catch (IOException end) {
            return end.getMessage() == null ? "the connection ended" : end.getMessage();
        }
    }

    private void notified(Frame frame) {
        if (frame.body() != null) {
            resume.heard(frame.body());
        }
    }

    private void forgetWaiting(String why) {
        synchronized (waiting) {
            waiting.forEach(one -> one.answer().completeExceptionally(new IOException(why)));
            waiting.clear();
        }
    }

    /** Tries until it works. Null when the client was closed. */
    private DataInputStream reconnect() {
        long pauseMs = options.backoffFirst().toMillis();
        while (true) {
            synchronized (line) {
                if (closed) {
                    return null;
                }
            }
            try {
                return open();
            } catch (IOException notYet) {
                // Between half and all of the pause, so that clients which lost the same gateway do not come back at once.
                long until = System.nanoTime() + (long) (pauseMs * 1e6 * (0.5 + ThreadLocalRandom.current().nextDouble() / 2));
                if (waitUntil(until)) {
                    return null;
                }
                pauseMs = Math.min(pauseMs * 2, options.backoffMax().toMillis());
            }
        }
    }

    /** Tells whether the client was closed meanwhile. */
    private boolean waitUntil(long until) {
        synchronized (line) {
            long leftMs;
            while (!closed && (leftMs = TimeUnit.NANOSECONDS.toMillis(until - System.nanoTime() + 999_999)) > 0) {
                try {
                    line.wait(leftMs);
                } catch (InterruptedException ignored) {
                    // No code outside this class has the thread.
                    return true;
                }
            }
            return closed;
        }
    }

    /** A connection as the client had it: logged in, in its rooms, open to callers. */
    private DataInputStream open() throws IOException {
        int timeoutMs = (int) options.callTimeout().toMillis();
        // Resolved anew each time: the gateway may have moved.
        var at = new InetSocketAddress(address.getHostString(), address.getPort());
        Socket made = new Socket();
        try {
            made.connect(at, timeoutMs);
            made.setTcpNoDelay(true);
            made.setSoTimeout(timeoutMs);
            DataInputStream in = new DataInputStream(new BufferedInputStream(made.getInputStream(), 1 << 16));
            int used = restore(in, made.getOutputStream());
            made.setSoTimeout((int) Math.max(1, options.heartbeat().toMillis() * 2));
            synchronized (line) {
                if (closed) {
                    throw new IOException("the client is closed");
                }
                socket = made;
                out = made.getOutputStream();
                sequence = used;
                writtenAt = System.nanoTime();
                line.notifyAll();
            }
            return in;
        } catch (IOException error) {
            quietlyClose(made);
            throw error;
        }
    }

    /** Gives the login and the rooms back. Tells the last sequence that was used. */
    private int restore(DataInputStream in, OutputStream to) throws IOException {
        Request.Login login;
        Set<Long> rooms;
        synchronized (memory) {
            login = memory.login;
            rooms = new TreeSet<>(memory.rooms);
        }
        int used = 0;
        TokenException refusal = login == null ? null : ask(in, to, ++used, login);
        if (refusal != null) {
            synchronized (memory) {
                memory.login = null;
                memory.rooms.clear();
            }
            rooms.clear();
            events.push(new TokenEvent.LoginLost(refusal));
        }
        for (long roomId : rooms) {
            Long newest = options.messages() ? resume.newest(roomId) : null;
            if (newest != null) {
                resume.begin(roomId, newest);
            }
            refusal = ask(in, to, ++used, new Request.EnterRoom(roomId));
            for (Request.CatchUp next; refusal == null && (next = resume.next(roomId)) != null; ) {
                refusal = ask(in, to, ++used, next);
                while (refusal == null && !resume.hasCome(roomId)) {
                    notified(Frame.read(in));
                }
            }
            if (refusal != null) {
                resume.giveUp(roomId);
                synchronized (memory) {
                    memory.rooms.remove(roomId);
                }
                events.push(new TokenEvent.RoomLost(roomId, refusal));
            }
        }
        if (options.messages()) {
            // The gateway sends messages on connections that have used this command; the room need not exist.
            ask(in, to, ++used, new Request.PostMessage(0, ""));
        }
        return used;
    }

    /** Asks unless another request is pending; returns the refusal if it is permanent. */
    private TokenException ask(DataInputStream in, OutputStream to, int sequence, Request request) throws IOException {
        to.write(Frame.of(request, sequence));
        while (true) {
            Frame frame = Frame.read(in);
            if (!frame.isReply()) {
                notified(frame);
                continue;
            }
            TokenException refusal = frame.refusal();
            if (!frame.isReplyTo(request.command(), sequence) || (refusal != null && refusal.isPassing())) {
                throw new IOException(refusal == null ? "a reply to what was not asked" : refusal.getMessage());
            }
            if (refusal == null) {
                resume.replied(frame.body());
            }
            return refusal;
        }
    }

    /** Sends a heartbeat whenever nothing else was sent for so long. */
    private void beat() {
        long every = options.heartbeat().toNanos();
        long next = System.nanoTime() + every;
        while (!waitUntil(next)) {
            synchronized (line) {
                if (out != null && System.nanoTime() - writtenAt >= every) {
                    try {
                        write(new Request.Heartbeat(), new CompletableFuture<>());
                    } catch (IOException ended) {
                        // The reader notices.
                    }
                }
                next = (out == null ? System.nanoTime() : writtenAt) + every;
            }
        }
    }

    private static void quietlyClose(Socket socket) {
        try {
            if (socket != null) {
                socket.close();
            }
        } catch (IOException closedAsWell) {
            // It is of no more use anyway.
        }
    }
}
