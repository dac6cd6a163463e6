package dragoman.chatroom;

import com.fasterxml.jackson.databind.ObjectMapper;
import dragoman.chatroom.model.ClientMsg;
import dragoman.chatroom.model.FromServer;
import dragoman.chatroom.model.GivenMsg;
import dragoman.chatroom.model.GivenUser;
import dragoman.chatroom.model.ListRoomsReply;
import dragoman.chatroom.model.ListedRooms;
import dragoman.chatroom.model.Refused;
import dragoman.chatroom.model.Res;
import dragoman.chatroom.model.ServerCaughtUp;
import dragoman.chatroom.model.ServerError;
import dragoman.chatroom.model.ServerGap;
import dragoman.chatroom.model.ServerMsg;
import dragoman.chatroom.model.ServerPosted;
import dragoman.chatroom.model.ServerUser;
import java.io.IOException;
import java.net.CookieManager;

/** Packets and replies as on the dialect's page. Needs no test framework: it has a main method. */
final class PacketsTest {
    private static final ObjectMapper MAPPER =
            new Rest("http://127.0.0.1", new CookieManager(), ChatroomOptions.defaults()).mapper;

    private PacketsTest() {}

    public static void main(String[] arguments) throws Exception {
        packetsAreToldApart();
        aPacketIsWrittenAsTheDialectHasIt();
        aRefusalIsToldFromASuccess();
        System.out.println("packets and replies are as they should be");
    }

    private static void packetsAreToldApart() throws IOException {
        String packet = "{\"type\":\"%s\",\"data\":{\"user\":{\"user_name\":\"ann\",\"user_avatar\":\"\"},\"room_name\":\"TEST\",\"msg\":\"%s\"},\"new\":1}";
        check(read(packet.formatted("msg", "hello")) instanceof ServerMsg msg && msg.getData().getMsg().equals("hello"));
        check(read(packet.formatted("user", "join")) instanceof ServerUser);
        check(read(packet.formatted("error", "invalid data")) instanceof ServerError);
        String numbered = "{\"type\":\"%s\",\"data\":{\"user\":{\"user_name\":\"\",\"user_avatar\":\"\"},\"room_name\":\"TEST\",\"msg\":\"\",%s}}";
        check(read(numbered.formatted("caught_up", "\"id\":7")) instanceof ServerCaughtUp it && it.getData().getId() == 7);
        check(read(numbered.formatted("gap", "\"after\":1,\"before\":7,\"count\":5")) instanceof ServerGap it && it.getData().getCount() == 5);
        check(read(numbered.formatted("posted", "\"client_id\":\"a\",\"id\":7")) instanceof ServerPosted);
    }

    private static void aPacketIsWrittenAsTheDialectHasIt() throws IOException {
        var data = new GivenMsg().user(new GivenUser().userName("ann")).roomName("TEST").msg("hello");
        String json = MAPPER.writeValueAsString(new ClientMsg().type(ClientMsg.TypeEnum.MSG).data(data));
        String wanted = "{\"type\":\"msg\",\"data\":{\"user\":{\"user_name\":\"ann\"},\"room_name\":\"TEST\",\"msg\":\"hello\"}}";
        check(MAPPER.readTree(json).equals(MAPPER.readTree(wanted)));
    }

    private static void aRefusalIsToldFromASuccess() throws IOException {
        Object listed = MAPPER.readValue("{\"rooms\":[],\"new\":1}", ListRoomsReply.class).getActualInstance();
        check(listed instanceof ListedRooms);
        Object refused = MAPPER.readValue("{\"res\":\"not signed in\"}", ListRoomsReply.class).getActualInstance();
        check(refused instanceof Refused why && why.getRes() == Res.NOT_SIGNED_IN);
        check(!new ChatroomException("full room", 200).isPassing() && new ChatroomException("slow down", 429).isPassing());
    }

    private static Object read(String packet) throws IOException {
        return MAPPER.readValue(packet, FromServer.class).getActualInstance();
    }

    private static void check(boolean holds) {
        if (!holds) {
            throw new AssertionError();
        }
    }
}
