package dragoman.chatroom;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonDeserializer;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.deser.DeserializationProblemHandler;
import dragoman.chatroom.api.ApiClient;
import dragoman.chatroom.api.ApiException;
import dragoman.chatroom.api.ChatroomApi;
import dragoman.chatroom.model.AbstractOpenApiSchema;
import dragoman.chatroom.model.Refused;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.CookieManager;
import java.net.http.HttpClient;

/** The HTTP part: what the generated client gives, as a success or an exception. */
final class Rest {
    final ObjectMapper mapper;

    private final ChatroomApi api;

    Rest(String baseUrl, CookieManager cookies, ChatroomOptions options) {
        ApiClient generated = new ApiClient();
        generated.updateBaseUri(baseUrl);
        generated.setHttpClientBuilder(http(cookies, options));
        generated.setReadTimeout(options.callTimeout());
        generated.setRequestInterceptor(request -> options.headers().forEach(request::setHeader));
        mapper = generated.getObjectMapper().enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES).addHandler(new Leniency());
        generated.setObjectMapper(mapper);
        api = new ChatroomApi(generated);
    }

    /** The login is a cookie, which the WebSocket's handshake shows too. */
    static HttpClient.Builder http(CookieManager cookies, ChatroomOptions options) {
        return HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(options.callTimeout())
                .cookieHandler(cookies);
    }

    <S> S call(Class<S> success, ChatroomClient.Operation operation) throws ChatroomException, IOException {
        AbstractOpenApiSchema reply;
        try {
            reply = operation.on(api);
        } catch (ApiException error) {
            throw thrown(error);
        }
        Object told = reply == null ? null : reply.getActualInstance();
        if (success.isInstance(told)) {
            return success.cast(told);
        }
        throw new ChatroomException(mapper.valueToTree(told).path("res").asText("no reply"), 200);
    }

    /**
     * A newer gateway may say more than is known here. But a refusal says nothing else than why, and what says why is a refusal. The
     * generated client knows no required fields, and would take any object for either.
     */
    private static final class Leniency extends DeserializationProblemHandler {
        @Override
        public boolean handleUnknownProperty(
                DeserializationContext context, JsonParser parser, JsonDeserializer<?> deserializer, Object read, String name)
                throws IOException {
            if (read instanceof Refused || name.equals("res")) {
                return false;
            }
            parser.skipChildren();
            return true;
        }
    }

    /** What to throw: the dialect's refusal is thrown here, anything else is given. */
    private IOException thrown(ApiException error) throws ChatroomException {
        if (error.getCause() instanceof InterruptedException) {
            // The generated client has set the thread's mark.
            return new InterruptedIOException("interrupted");
        }
        if (error.getCause() instanceof IOException cause) {
            return cause;
        }
        String res;
        try {
            res = mapper.readTree(String.valueOf(error.getResponseBody())).path("res").asText("");
        } catch (JsonProcessingException none) {
            res = "";
        }
        if (res.isEmpty()) {
            return new IOException("not the chatroom dialect: a reply with HTTP status " + error.getCode(), error);
        }
        throw new ChatroomException(res, error.getCode());
    }
}
