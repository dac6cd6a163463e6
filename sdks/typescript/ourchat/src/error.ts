/** The gateway said no. */
export class OurchatError extends Error {
  override readonly name = "OurchatError";

  constructor(
    /** Of the message that said so: 5 register, 7 login, 9 make a group, 11 account; 18 for whatever else. */
    readonly code: 5 | 7 | 9 | 11 | 18,
    /** For people; it may change. */
    details: string,
    /** Of 5 and 7, where 5 has 2 for an email that is taken; of 11 its `status`. */
    readonly state?: number,
  ) {
    super(details);
  }
}
