package dragoman.channel;

/**
 * A message from one user to another.
 *
 * @param from the handle of who sent it
 */
public record DirectMessage(String from, String msg) {}
