package dragoman.channel;

import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dragoman.channel.api.ApiClient;
import dragoman.channel.api.ApiException;
import dragoman.channel.model.Gap;
import dragoman.channel.model.LogInReply;
import java.io.IOException;
import java.net.http.HttpHeaders;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;

/** Replies as on the dialect's page. Needs no test framework: it has a main method. */
final class RepliesTest {
    private static final ObjectMapper MAPPER = new ApiClient().getObjectMapper();

    private RepliesTest() {}

    public static void main(String[] arguments) throws Exception {
        aSuccessHasData();
        aFailureHasItsCode();
        anHttpStatusIsAnExceptionWithItsCode();
        whatIsNeitherIsAnError();
        aListenerGoesOnFromWhereItWas();
        System.out.println("replies are as they should be");
    }

    private static void aSuccessHasData() throws IOException {
        LogInReply reply = MAPPER.readValue("{\"code\":0,\"msg\":\"success\",\"data\":{\"token\":\"t\"}}", LogInReply.class);
        check(reply.getSignedInSuccess().getData().getToken().equals("t"));
    }

    private static void aFailureHasItsCode() throws IOException {
        LogInReply reply = MAPPER.readValue("{\"code\":3,\"msg\":\"wrong name or password\"}", LogInReply.class);
        ChannelException refusal = new ChannelException(reply.getFailure(), 200, Duration.ZERO);
        check(refusal.code() == ChannelException.Code.WRONG_NAME_OR_PASSWORD && refusal.code().number() == 3);
        check(refusal.getMessage().equals("wrong name or password") && !refusal.isPassing());
    }

    private static void anHttpStatusIsAnExceptionWithItsCode() {
        HttpHeaders headers = HttpHeaders.of(Map.of("Retry-After", List.of("2")), (name, value) -> true);
        ApiException error = new ApiException(429, "", headers, "{\"code\":10,\"msg\":\"slow down\"}");
        try {
            throw new AssertionError(ChannelClient.thrown(error, MAPPER));
        } catch (ChannelException refusal) {
            check(refusal.code() == ChannelException.Code.SLOW_DOWN && refusal.isPassing());
            check(refusal.status() == 429 && refusal.retryAfter().equals(Duration.ofSeconds(2)));
        }
    }

    private static void whatIsNeitherIsAnError() throws Exception {
        for (String reply : new String[] {"{}", "{\"code\":99,\"msg\":\"?\"}"}) {
            try {
                throw new AssertionError(MAPPER.readValue(reply, LogInReply.class));
            } catch (JsonMappingException expected) {
                check(expected.getMessage().contains("classes match"));
            }
        }
        ApiException error = new ApiException(502, "", HttpHeaders.of(Map.of(), (name, value) -> true), "<html>");
        check(ChannelClient.thrown(error, MAPPER).getMessage().endsWith("a reply with HTTP status 502"));
    }

    private static void aListenerGoesOnFromWhereItWas() throws Exception {
        ArrayDeque<Long> asked = new ArrayDeque<>();
        ArrayDeque<Gap> gaps = new ArrayDeque<>();
        ListenOptions options = ListenOptions.defaults().withAfter(3L).withBackoff(Duration.ZERO, Duration.ZERO)
                .withOnGap(gaps::add);
        Listener<String> listener = new Listener<>(after -> {
            asked.add(after);
            if (asked.size() == 1) {
                throw new IOException("away");
            }
            Gap gap = asked.size() == 3 ? new Gap().after(after).before(after + 2) : null;
            return new Listener.Batch<>(after + 2, List.of("a", "b"), gap);
        }, options);
        check(listener.next().equals("a") && listener.next().equals("b") && gaps.isEmpty());
        check(listener.next().equals("a") && gaps.remove().getBefore() == 7);
        check(List.copyOf(asked).equals(List.of(3L, 3L, 5L)) && listener.cursor() == 7);
    }

    private static void check(boolean holds) {
        if (!holds) {
            throw new AssertionError();
        }
    }
}
