package dragoman.chatroom;

import dragoman.chatroom.api.ApiException;
import dragoman.chatroom.api.ChatroomApi;
import dragoman.chatroom.model.AbstractOpenApiSchema;
import dragoman.chatroom.model.Account;
import dragoman.chatroom.model.ChatroomCreateSuccessfully;
import dragoman.chatroom.model.ClientJoin;
import dragoman.chatroom.model.ClientLeave;
import dragoman.chatroom.model.ClientMsg;
import dragoman.chatroom.model.Coming;
import dragoman.chatroom.model.CreateRoomRequest;
import dragoman.chatroom.model.Given;
import dragoman.chatroom.model.GivenJoin;
import dragoman.chatroom.model.GivenMsg;
import dragoman.chatroom.model.GivenUser;
import dragoman.chatroom.model.JoinChatroom;
import dragoman.chatroom.model.LeaveChatroom;
import dragoman.chatroom.model.ListedRooms;
import dragoman.chatroom.model.LoggedIn;
import dragoman.chatroom.model.LoginRequest;
import dragoman.chatroom.model.Presence;
import dragoman.chatroom.model.RegisterRequest;
import dragoman.chatroom.model.RegisterSuccessfully;
import dragoman.chatroom.model.Room;
import dragoman.chatroom.model.Said;
import dragoman.chatroom.model.ServerCaughtUp;
import dragoman.chatroom.model.ServerGap;
import dragoman.chatroom.model.ServerMsg;
import dragoman.chatroom.model.ServerPosted;
import dragoman.chatroom.model.ServerUser;
import dragoman.chatroom.model.VisitRoomRequest;
import java.io.IOException;
import java.net.CookieManager;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.net.http.HttpClient;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Predicate;

/**
 * A client of the chatroom: an account, or a guest. It may be used by several threads at once.
 *
 * <p>The WebSocket is opened by the first {@link #join}. When it breaks it is made again: the client logs in anew, joins its rooms
 * again and gets what was said there meanwhile, each message once. A {@link #say} that was under way is repeated, and the gateway
 * posts it once. What the gateway refuses is a {@link ChatroomException}; an {@link IOException} says that it cannot be reached, or
 * that the connection broke before the answer came: whether the request was done is unknown.
 */
public final class ChatroomClient implements AutoCloseable {
    /** The only visit that is asked for: 1 takes a seat, 0 gives it back. */
    private static final int TAKE = 1;

    private static final int GIVE_BACK = 0;

    /** The {@code since} of a client that wants nothing of the past. */
    private static final long BEGIN_NOW = (1L << 53) - 1;

    private static final String OUTCOME_UNKNOWN = "outcome unknown";

    private final URI webSocket;
    private final ChatroomOptions options;
    private final Events events;
    private final CookieManager cookies = new CookieManager();
    private final Rest rest;
    private final HttpClient http;

    /** Its lock is for all fields below. */
    private final Object state = new Object();

    private Link link;
    private boolean kept;
    private boolean closed;
    private String name;
    private LoginRequest account;
    private final Set<String> rooms = new TreeSet<>();

    /** Up to which message what was said in a room has come. */
    private final Map<String, Long> newest = new HashMap<>();

    /** Something that the generated client can do. */
    @FunctionalInterface
    public interface Operation {
        AbstractOpenApiSchema on(ChatroomApi api) throws ApiException;
    }

    /** For a gateway at addresses such as {@code http://127.0.0.1:5000} and {@code ws://127.0.0.1:2333}. Nothing is asked yet. */
    public ChatroomClient(String baseUrl, String webSocketUrl) {
        this(baseUrl, webSocketUrl, ChatroomOptions.defaults());
    }

    public ChatroomClient(String baseUrl, String webSocketUrl, ChatroomOptions options) {
        this.webSocket = URI.create(webSocketUrl);
        this.options = options;
        this.events = new Events(options.eventsMax());
        this.rest = new Rest(baseUrl, cookies, options);
        this.http = Rest.http(cookies, options).build();
    }

    /** Makes an account. {@code name} is who it is in every dialect, for good. It does not sign in. */
    public void register(long tel, String name, String password) throws ChatroomException, IOException {
        var request = new RegisterRequest().userTel(tel).userName(name).userPassword(password);
        call(RegisterSuccessfully.class, api -> api.register(request));
    }

    /** Signs in: the client is this account from now on. To be called before the first {@link #join}. */
    public Account login(long tel, String password) throws ChatroomException, IOException {
        var request = new LoginRequest().userTel(tel).userPassword(password);
        Account who = login(request);
        synchronized (state) {
            account = request;
            name = who.getUserName();
        }
        return who;
    }

    /** Goes by a name that no account has, without signing in. */
    public void beGuest(String name) {
        synchronized (state) {
            this.name = name;
        }
    }

    /** Every room that is open, with how many are in it. */
    public List<Room> rooms() throws ChatroomException, IOException {
        return call(ListedRooms.class, ChatroomApi::listRooms).getRooms();
    }

    /** Makes a room without an owner. */
    public void createRoom(String room) throws ChatroomException, IOException {
        call(ChatroomCreateSuccessfully.class, api -> api.createRoom(new CreateRoomRequest().roomName(room)));
    }

    /** Takes a seat in a room ahead of {@link #join}, which then uses it. Joining takes one where there is none. */
    public void takeSeat(String room) throws ChatroomException, IOException {
        visit(JoinChatroom.class, room, TAKE);
    }

    /** Gives back a seat that {@link #takeSeat} took. */
    public void giveSeatBack(String room) throws ChatroomException, IOException {
        visit(LeaveChatroom.class, room, GIVE_BACK);
    }

    /** Enters a room: what is said in it comes from now on, also what is said while the connection is broken. */
    public void join(String room) throws ChatroomException, IOException, InterruptedException {
        Link link = connected();
        long since;
        synchronized (state) {
            since = rooms.contains(room) ? newest.getOrDefault(room, BEGIN_NOW) : BEGIN_NOW;
        }
        enter(link, room, since);
        synchronized (state) {
            rooms.add(room);
        }
    }

    /** As {@link #join(String)}, but what was said after the message with this id comes first; with 0 all that there is. */
    public void join(String room, long since) throws ChatroomException, IOException, InterruptedException {
        enter(connected(), room, since);
        synchronized (state) {
            rooms.add(room);
        }
    }

    /** Leaves a room. */
    public void leave(String room) throws ChatroomException, IOException, InterruptedException {
        synchronized (state) {
            rooms.remove(room);
        }
        var packet = new ClientLeave().type(ClientLeave.TypeEnum.LEAVE).data(new Given().user(me()).roomName(room).msg(""));
        connected().ask(packet, isOwn(room, Coming.LEAVE), options.callTimeout());
    }

    /** Says something in a room that was joined, once. Returns when it is in the room, with its id. */
    public long say(String room, String text) throws ChatroomException, IOException, InterruptedException {
        return say(room, text, UUID.randomUUID().toString());
    }

    /**
     * As {@link #say(String, String)}, with a name for the message, of 1 to 200 bytes. Where the connection breaks before the answer,
     * it is sent again with this name, until there has been no connection for the call timeout. Sent again by another run of the
     * program, it is the same message for a day.
     */
    public long say(String room, String text, String clientId) throws ChatroomException, IOException, InterruptedException {
        var data = new GivenMsg().user(me()).roomName(room).msg(text).clientId(clientId);
        var packet = new ClientMsg().type(ClientMsg.TypeEnum.MSG).data(data);
        AtomicLong id = new AtomicLong();
        Predicate<Object> isAnswer = told -> {
            if (!(told instanceof ServerPosted posted) || !posted.getData().getClientId().equals(clientId)) {
                return false;
            }
            id.set(posted.getData().getId());
            return true;
        };
        for (long pauseMs = options.backoffFirst().toMillis(); ; pauseMs = Math.min(pauseMs * 2, options.backoffMax().toMillis())) {
            Link link = connected();
            try {
                link.ask(packet, isAnswer, options.callTimeout());
                return id.get();
            } catch (IOException unknown) {
                // The connection broke, or there is no answer: sent again, it is posted once.
                continue;
            } catch (ChatroomException refusal) {
                if (!refusal.code().equals(OUTCOME_UNKNOWN)) {
                    throw refusal;
                }
            }
            Thread.sleep(pauseMs);
        }
    }

    /** Waits for the next event. It is null after {@link #close()}. */
    public ChatroomEvent nextEvent() throws InterruptedException {
        return events.next(null);
    }

    /** Waits for the next event, but not longer than so; then it is null. */
    public ChatroomEvent nextEvent(Duration timeout) throws InterruptedException {
        return events.next(timeout);
    }

    /** Does an operation of the generated client, whose reply should be of this type; any other is an exception. */
    public <S> S call(Class<S> success, Operation operation) throws ChatroomException, IOException {
        return rest.call(success, operation);
    }

    /** Hangs up. Calls and waiting for events end, also in other threads. */
    @Override
    public void close() {
        Link last;
        synchronized (state) {
            closed = true;
            last = link;
            state.notifyAll();
        }
        if (last != null) {
            last.end("the client is closed");
        }
        events.end();
    }

    private Account login(LoginRequest request) throws ChatroomException, IOException {
        return call(LoggedIn.class, api -> api.login(request)).getData();
    }

    private <S> void visit(Class<S> success, String room, int status) throws ChatroomException, IOException {
        var request = new VisitRoomRequest()
                .roomName(room)
                .userName(me().getUserName())
                .status(VisitRoomRequest.StatusEnum.fromValue(status));
        call(success, api -> api.visitRoom(request));
    }

    private GivenUser me() {
        synchronized (state) {
            if (name == null) {
                throw new IllegalStateException("not logged in: call login or beGuest first");
            }
            return new GivenUser().userName(name);
        }
    }

    private void enter(Link link, String room, long since) throws ChatroomException, IOException, InterruptedException {
        if (since != BEGIN_NOW) {
            synchronized (state) {
                newest.put(room, since);
            }
        }
        var packet = new ClientJoin().type(ClientJoin.TypeEnum.JOIN).data(new GivenJoin().user(me()).roomName(room).msg("").since(since));
        Predicate<Object> isAnswer =
                told -> told instanceof ServerCaughtUp caughtUp && caughtUp.getData().getRoomName().equals(room);
        link.ask(packet, isAnswer, options.callTimeout());
    }

    private Predicate<Object> isOwn(String room, Coming... coming) {
        String me = me().getUserName();
        return told -> {
            if (!(told instanceof ServerUser user)) {
                return false;
            }
            Presence data = user.getData();
            return data.getRoomName().equals(room)
                    && data.getUser().getUserName().equals(me)
                    && List.of(coming).contains(data.getMsg());
        };
    }

    private void unasked(Object packet) {
        if (packet instanceof ServerMsg msg) {
            Said said = msg.getData();
            // What is caught up with may come twice. Within a room, ids ascend.
            if (said.getId() == null || note(said.getRoomName(), said.getId())) {
                events.push(new ChatroomEvent.Said(said));
            }
        } else if (packet instanceof ServerCaughtUp caughtUp) {
            note(caughtUp.getData().getRoomName(), caughtUp.getData().getId());
        } else if (packet instanceof ServerGap gap) {
            events.push(new ChatroomEvent.Gap(gap.getData()));
        } else if (packet instanceof ServerUser user) {
            events.push(new ChatroomEvent.CameOrWent(user.getData()));
        }
    }

    /** The messages of a room up to this one have come. Whether that is news. */
    private boolean note(String room, long id) {
        synchronized (state) {
            boolean isNews = id > newest.getOrDefault(room, -1L);
            if (isNews) {
                newest.put(room, id);
            }
            return isNews;
        }
    }

    /** The connection, once it is there; the first caller makes it. */
    private Link connected() throws ChatroomException, IOException, InterruptedException {
        long until = System.nanoTime() + options.callTimeout().toNanos();
        synchronized (state) {
            if (!kept && !closed) {
                link = open();
                kept = true;
                Thread keeper = new Thread(this::keep, "dragoman-chatroom");
                keeper.setDaemon(true);
                keeper.start();
            }
            while (link == null && !closed) {
                long leftMs = (until - System.nanoTime()) / 1_000_000;
                if (leftMs <= 0) {
                    throw new SocketTimeoutException("no connection in time");
                }
                state.wait(leftMs);
            }
            if (closed) {
                throw new IOException("the client is closed");
            }
            return link;
        }
    }

    /** A WebSocket of the client's user. */
    private Link open() throws IOException, InterruptedException {
        Link made = new Link(rest.mapper, this::unasked);
        var builder = http.newWebSocketBuilder().connectTimeout(options.callTimeout());
        options.headers().forEach(builder::header);
        try {
            long withinMs = options.callTimeout().toMillis();
            made.opened(builder.buildAsync(webSocket, made).get(withinMs, TimeUnit.MILLISECONDS));
        } catch (TimeoutException late) {
            throw new SocketTimeoutException("no connection in time");
        } catch (ExecutionException failed) {
            throw new IOException("cannot connect to " + webSocket, failed.getCause());
        }
        return made;
    }

    /** From connection to connection, until the client is closed. */
    private void keep() {
        try {
            while (true) {
                Link current;
                synchronized (state) {
                    current = link;
                }
                String why = current.untilEnd(options.heartbeat());
                synchronized (state) {
                    link = null;
                    if (closed) {
                        return;
                    }
                }
                events.push(new ChatroomEvent.Disconnected(why));
                Link again = reconnect();
                synchronized (state) {
                    if (again == null || closed) {
                        return;
                    }
                    link = again;
                    state.notifyAll();
                }
                events.push(new ChatroomEvent.Reconnected());
            }
        } catch (InterruptedException ignored) {
            // No code outside this class has the thread.
            close();
        }
    }

    /** Tries until it works. Null when the client was closed. */
    private Link reconnect() throws InterruptedException {
        long pauseMs = options.backoffFirst().toMillis();
        while (true) {
            Link made = null;
            try {
                loginAgain();
                made = open();
                joinAgain(made);
                return made;
            } catch (ChatroomException | IOException notYet) {
                if (made != null) {
                    made.end("given up");
                }
            }
            // Between half and all of the pause, so that clients which lost the same gateway do not come back at once.
            long until = System.nanoTime() + (long) (pauseMs * 1e6 * (0.5 + ThreadLocalRandom.current().nextDouble() / 2));
            synchronized (state) {
                long leftMs;
                while (!closed && (leftMs = TimeUnit.NANOSECONDS.toMillis(until - System.nanoTime() + 999_999)) > 0) {
                    state.wait(leftMs);
                }
                if (closed) {
                    return null;
                }
            }
            pauseMs = Math.min(pauseMs * 2, options.backoffMax().toMillis());
        }
    }

    /** A refusal that passes is thrown; one that stays ends the login. */
    private void loginAgain() throws ChatroomException, IOException {
        LoginRequest request;
        synchronized (state) {
            request = account;
        }
        try {
            if (request != null) {
                login(request);
            }
        } catch (ChatroomException refusal) {
            if (refusal.isPassing()) {
                throw refusal;
            }
            synchronized (state) {
                account = null;
                rooms.clear();
            }
            events.push(new ChatroomEvent.LoginLost(refusal));
        }
    }

    /** A refusal that passes is thrown; one that stays ends being in that room. */
    private void joinAgain(Link made) throws ChatroomException, IOException, InterruptedException {
        Map<String, Long> before = new TreeMap<>();
        synchronized (state) {
            rooms.forEach(room -> before.put(room, newest.getOrDefault(room, BEGIN_NOW)));
        }
        for (Map.Entry<String, Long> each : before.entrySet()) {
            String room = each.getKey();
            try {
                enter(made, room, each.getValue());
            } catch (ChatroomException refusal) {
                if (refusal.isPassing()) {
                    throw refusal;
                }
                synchronized (state) {
                    rooms.remove(room);
                }
                events.push(new ChatroomEvent.RoomLost(room, refusal));
            }
        }
    }
}
