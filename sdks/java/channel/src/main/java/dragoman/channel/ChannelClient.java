package dragoman.channel;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dragoman.channel.api.ApiClient;
import dragoman.channel.api.ApiException;
import dragoman.channel.api.ChannelApi;
import dragoman.channel.model.AbstractOpenApiSchema;
import dragoman.channel.model.ChannelMessage;
import dragoman.channel.model.ChannelMessages;
import dragoman.channel.model.DirectMessages;
import dragoman.channel.model.Failure;
import dragoman.channel.model.ListMembersRequest;
import dragoman.channel.model.LogInRequest;
import dragoman.channel.model.ReceiveDirectRequest;
import dragoman.channel.model.ReceiveFromChannelRequest;
import dragoman.channel.model.RegisterRequest;
import dragoman.channel.model.SendDirectRequest;
import dragoman.channel.model.SendToChannelRequest;
import dragoman.channel.model.ShowUserRequest;
import dragoman.channel.model.User;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.time.Duration;
import java.util.List;
import java.util.UUID;

/**
 * A user of the channel dialect. It signs in anew by itself where its token ran out, and may be used by several threads at once.
 * A request whose reply was lost is sent again, for the client's patience, and takes effect once.
 *
 * <p>What the gateway refuses is a {@link ChannelException}; where it cannot be reached, methods throw an {@link IOException}.
 */
public final class ChannelClient {
    /** The longest that a request takes, where nothing else is set. */
    private static final Duration TIMEOUT = Duration.ofSeconds(30);

    private static final Duration BACKOFF_FIRST = Duration.ofMillis(250);
    private static final Duration BACKOFF_MAX = Duration.ofSeconds(15);

    /** The idempotency key of the request that this thread is about to make. */
    private final ThreadLocal<String> key = new ThreadLocal<>();

    private volatile Duration patience = Duration.ofSeconds(30);
    private final ApiClient generated;
    private final ChannelApi api;
    private volatile SignedIn signedIn;

    private record SignedIn(String name, String password, String token) {}

    /** Something that the generated client can do. */
    @FunctionalInterface
    public interface Operation<R extends AbstractOpenApiSchema> {
        R on(ChannelApi api) throws ApiException;
    }

    /** For a gateway at an address such as {@code http://127.0.0.1:5004}. Nothing is asked yet. */
    public ChannelClient(String baseUrl) {
        this(baseUrl, patient());
    }

    /** With settings of one's own: timeouts, a proxy, headers of every request, such as {@code X-Api-Key}. */
    public ChannelClient(String baseUrl, ApiClient generated) {
        this.generated = generated;
        var further = generated.getRequestInterceptor();
        generated.updateBaseUri(baseUrl);
        generated.setRequestInterceptor(request -> {
            showToken(request);
            String once = key.get();
            if (once != null) {
                request.setHeader("Idempotency-Key", once);
            }
            if (further != null) {
                further.accept(request);
            }
        });
        this.api = new ChannelApi(generated);
    }

    /** How long a request is sent again whose reply was lost; 30 seconds, where nothing else is set. */
    public void setPatience(Duration patience) {
        this.patience = patience;
    }

    /** Makes an account. It does not sign in. */
    public void register(String name, String password) throws ChannelException, IOException {
        var request = new RegisterRequest().name(name).password(password).passwordRepete(password);
        patiently(newKey(), () -> once(api -> api.register(request)));
    }

    /** Signs in. */
    public void login(String name, String password) throws ChannelException, IOException {
        patiently(null, () -> {
            signIn(name, password);
            return null;
        });
    }

    private void signIn(String name, String password) throws ChannelException, IOException {
        var request = new LogInRequest().name(name).password(password);
        var reply = once(api -> api.logIn(request));
        signedIn = new SignedIn(name, password, reply.getSignedInSuccess().getData().getToken());
    }

    /** Whether there is a user of this name. */
    public boolean userExists(String name) throws ChannelException, IOException {
        try {
            call(api -> api.showUser(new ShowUserRequest().name(name)));
            return true;
        } catch (ChannelException refusal) {
            if (refusal.code() == ChannelException.Code.NO_SUCH_USER) {
                return false;
            }
            throw refusal;
        }
    }

    /** Sends a direct message, once. */
    public void send(String name, String msg) throws ChannelException, IOException {
        send(name, msg, newKey());
    }

    /** Sends a direct message, once. With the same key, 1 to 200 bytes, it is the same message for a day. */
    public void send(String name, String msg, String key) throws ChannelException, IOException {
        var request = new SendDirectRequest().name(name).msg(msg);
        patiently(key, () -> call(api -> api.sendDirect(request)));
    }

    /** Says something in a channel, once. Joins it, and makes it where there is none. */
    public void sendToChannel(String name, String message) throws ChannelException, IOException {
        sendToChannel(name, message, newKey());
    }

    /** Says something in a channel, once. With the same key, 1 to 200 bytes, it is the same message for a day. */
    public void sendToChannel(String name, String message, String key) throws ChannelException, IOException {
        var request = new SendToChannelRequest().name(name).message(message);
        patiently(key, () -> call(api -> api.sendToChannel(request)));
    }

    /** The members of a channel. */
    public List<String> members(String name) throws ChannelException, IOException {
        var reply = call(api -> api.listMembers(new ListMembersRequest().name(name)));
        return reply.getMembersSuccess().getData().getUsers().stream().map(User::getName).toList();
    }

    /** The messages of a channel as they come, the own ones too. Joins it. */
    public Listener<ChannelMessage> listenToChannel(String name, ListenOptions options) {
        String first = newKey();
        return new Listener<>(after -> {
            var request = new ReceiveFromChannelRequest().name(name).after(after);
            var reply = keyed(after == null ? first : null, () -> call(api -> api.receiveFromChannel(request)));
            ChannelMessages data = reply.getChannelMessagesSuccess().getData();
            return new Listener.Batch<>(data.getCursor(), data.getMessages(), data.getGap());
        }, options);
    }

    /** The direct messages to this user as they come; those of one sender in order. */
    public Listener<DirectMessage> listen(ListenOptions options) {
        String first = newKey();
        return new Listener<>(after -> {
            var request = new ReceiveDirectRequest().after(after);
            var reply = keyed(after == null ? first : null, () -> call(api -> api.receiveDirect(request)));
            DirectMessages data = reply.getDirectMessagesSuccess().getData();
            List<DirectMessage> messages = data.getMessages().entrySet().stream()
                    .flatMap(sender -> sender.getValue().stream().map(msg -> new DirectMessage(sender.getKey(), msg)))
                    .toList();
            return new Listener.Batch<>(data.getCursor(), messages, data.getGap());
        }, options);
    }

    /** Does an operation of the generated client, again with a new token where it ran out. The reply is a success. */
    public <R extends AbstractOpenApiSchema> R call(Operation<R> operation) throws ChannelException, IOException {
        try {
            return once(operation);
        } catch (ChannelException refusal) {
            SignedIn as = signedIn;
            if (refusal.code() != ChannelException.Code.NOT_SIGNED_IN || as == null) {
                throw refusal;
            }
            signIn(as.name(), as.password());
            return once(operation);
        }
    }

    /** Something that may have to be done again. */
    private interface Attempt<R> {
        R make() throws ChannelException, IOException;
    }

    /** Does something again while it fails for a reason that passes; its key has it take effect once. */
    private <R> R patiently(String once, Attempt<R> attempt) throws ChannelException, IOException {
        long until = System.nanoTime() + patience.toNanos();
        Duration backoff = BACKOFF_FIRST;
        while (true) {
            try {
                return keyed(once, attempt);
            } catch (ChannelException refusal) {
                if (!refusal.isPassing() || System.nanoTime() > until) {
                    throw refusal;
                }
                pause(backoff, refusal.retryAfter());
            } catch (JacksonException | InterruptedIOException notForLack) {
                throw notForLack;
            } catch (IOException away) {
                if (System.nanoTime() > until) {
                    throw away;
                }
                pause(backoff, Duration.ZERO);
            }
            Duration doubled = backoff.multipliedBy(2);
            backoff = doubled.compareTo(BACKOFF_MAX) < 0 ? doubled : BACKOFF_MAX;
        }
    }

    /** Does something with a key, or without one: receiving without a cursor gives the same messages for the same key. */
    private <R> R keyed(String once, Attempt<R> attempt) throws ChannelException, IOException {
        key.set(once);
        try {
            return attempt.make();
        } finally {
            key.remove();
        }
    }

    private static void pause(Duration backoff, Duration least) throws InterruptedIOException {
        try {
            Thread.sleep(Listener.jittered(backoff, least));
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted");
        }
    }

    private static String newKey() {
        return UUID.randomUUID().toString();
    }

    private <R extends AbstractOpenApiSchema> R once(Operation<R> operation) throws ChannelException, IOException {
        R reply;
        try {
            reply = operation.on(api);
        } catch (ApiException error) {
            throw thrown(error, generated.getObjectMapper());
        }
        if (reply == null) {
            throw new IOException("not the channel dialect: a reply without a body");
        }
        if (reply.getActualInstance() instanceof Failure failure) {
            throw new ChannelException(failure, 200, Duration.ZERO);
        }
        return reply;
    }

    private static ApiClient patient() {
        var http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(TIMEOUT);
        return new ApiClient().setHttpClientBuilder(http).setReadTimeout(TIMEOUT);
    }

    private void showToken(HttpRequest.Builder request) {
        SignedIn as = signedIn;
        if (as != null) {
            request.setHeader("token", as.token());
        }
    }

    /** What to throw: the dialect's refusal is thrown here, anything else is given. */
    static IOException thrown(ApiException error, ObjectMapper mapper) throws ChannelException {
        if (error.getCause() instanceof InterruptedException) {
            // The generated client has set the thread's mark.
            return new InterruptedIOException("interrupted");
        }
        if (error.getCause() instanceof IOException cause) {
            return cause;
        }
        Failure failure;
        try {
            failure = mapper.readValue(String.valueOf(error.getResponseBody()), Failure.class);
        } catch (JsonProcessingException none) {
            failure = null;
        }
        if (failure == null || failure.getCode() == null) {
            return new IOException("not the channel dialect: a reply with HTTP status " + error.getCode(), error);
        }
        long seconds = error.getResponseHeaders().firstValueAsLong("retry-after").orElse(0);
        throw new ChannelException(failure, error.getCode(), Duration.ofSeconds(seconds));
    }
}
