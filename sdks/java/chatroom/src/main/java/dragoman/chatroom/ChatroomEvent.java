package dragoman.chatroom;

import dragoman.chatroom.model.Presence;

/** What happens without being asked for. */
public sealed interface ChatroomEvent {
    /** A message in a joined room, including own messages. */
    record Said(dragoman.chatroom.model.Said data) implements ChatroomEvent {}

    /** A member entered or left a joined room. */
    record CameOrWent(Presence data) implements ChatroomEvent {}

    /** Messages that were missed and are not there any more: there were too many, or they were removed. */
    record Gap(dragoman.chatroom.model.Missing data) implements ChatroomEvent {}

    /** The connection ended. The client connects again by itself; what is said in the meantime comes then. */
    record Disconnected(String why) implements ChatroomEvent {}

    /** The connection is there again, with its login and in its rooms, but for those that the events before this one name. */
    record Reconnected() implements ChatroomEvent {}

    /** For a new connection the login was refused. */
    record LoginLost(ChatroomException refusal) implements ChatroomEvent {}

    /** On a new connection a room could not be joined. */
    record RoomLost(String room, ChatroomException refusal) implements ChatroomEvent {}

    /** The number of events dropped here because they were not read in time. */
    record Missed(long count) implements ChatroomEvent {}
}
