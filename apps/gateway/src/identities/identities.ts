/** A user of the identity provider, as a token of it says. */
export interface Identity {
  /** The provider's own id of the user; never changes. */
  subject: string;
  email: string | null;
}

/** Who stands behind a token of the identity provider. */
export abstract class Identities {
  /** Throws VendoError `app_unknown` for a token that is not good, `billing_unavailable` when that cannot be said right now. */
  abstract identify(token: string): Promise<Identity>;
}
