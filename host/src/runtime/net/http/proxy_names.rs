//! Which names of headers show that a request has passed a proxy.
//!
//! A name that is wrongly taken for a client's lets the client of a proxy sign in by the proxy's
//! address; one that is wrongly taken for a proxy's costs a client that convenience. So whole families
//! of names count, and what clients send by themselves is what they are known to send.
//! docs/deploy/proxies.md has the rule.

/// What is in the names that proxies make for themselves: `X-Forwarded-For`, `Max-Forwards`,
/// `Proxy-Client-IP`.
const PARTS: [&str; 2] = ["forward", "proxy"];

/// What names begin with, `x-` left out, of products that stand before a server: these brands are
/// part of no other word. `$WS` is that of IBM's web server plug-in (`$WSRA`, `$WSSN`).
const BRANDS: [&str; 46] = [
    "$ws",
    "akamai",
    "alicdn",
    "amzn",
    "apigateway",
    "apigee",
    "appengine",
    "authelia",
    "authentik",
    "azure",
    "bluecoat",
    "cdn",
    "citrix",
    "cloudflare",
    "cloudfront",
    "datadome",
    "eagleeye",
    "envoy",
    "fastly",
    "haproxy",
    "heroku",
    "imperva",
    "incap",
    "istio",
    "kong",
    "netlify",
    "netscaler",
    "ngrok",
    "nokia",
    "oathkeeper",
    "pomerium",
    "railway",
    "replit",
    "sandstorm",
    "siteminder",
    "sigsci",
    "smuser",
    "ssl",
    "sucuri",
    "tailscale",
    "teleport",
    "traefik",
    "varnish",
    "vercel",
    "waws",
    "zscaler",
];

/// The first words of names, `x-` left out: of products, of what a proxy knows of the client, and of
/// what the client had sent before the proxy changed it.
const FIRST_WORDS: [&str; 80] = [
    "accel",
    "ajp",
    "ali-cdn",
    "amz-cf",
    "anonymous-consumer",
    "appservice",
    "arr",
    "auth-request",
    "authenticated",
    "balancer",
    "bd",
    "cas",
    "cert",
    "cf",
    "cloud-trace",
    "cluster-client",
    "coming-from",
    "connecting",
    "consumer",
    "credential-identifier",
    "disguised-host",
    "downstream",
    "ec",
    "edge",
    "elb",
    "f5",
    "fd",
    "fly",
    "front-end-https",
    "gfe",
    "goog-authenticated",
    "goog-iap",
    "hass-source",
    "http-host",
    "https",
    "iap",
    "ingress",
    "iv",
    "ja3",
    "ja4",
    "l5d",
    "lb",
    "mellon",
    "ms-adfs",
    "ms-aspnetcore",
    "ms-client",
    "ms-coreproxy",
    "ms-edge",
    "ms-endpoint",
    "ms-original",
    "ms-token",
    "mwg",
    "nf",
    "oam",
    "oci",
    "oidc",
    "origin-host",
    "original",
    "originating",
    "osso",
    "queue-start",
    "rdwr",
    "remote",
    "request-start",
    "rewrite",
    "rndr",
    "server-name",
    "shib",
    "slb",
    "sm",
    "sni",
    "stgw",
    "surrogate",
    "tencent",
    "tls",
    "true-client",
    "url-scheme",
    "vouch",
    "waf",
    "webauth",
];

/// The same of words that say this only after `x-`.
const X_FIRST_WORDS: [&str; 3] = ["host", "port", "scheme"];

/// The first words of names by which a proxy says who the client is, and a client what it is itself:
/// the second word tells, and only those of [`OWN_WORDS`] are a client's.
const SHARED_WORDS: [&str; 4] = ["auth", "client", "peer", "real"];

/// What a client says of itself, its program and its secrets.
const OWN_WORDS: [&str; 43] = [
    "app",
    "application",
    "brand",
    "build",
    "capabilities",
    "channel",
    "cpu",
    "current",
    "data",
    "date",
    "device",
    "features",
    "id",
    "info",
    "key",
    "lang",
    "language",
    "last",
    "locale",
    "model",
    "mode",
    "nonce",
    "os",
    "package",
    "platform",
    "request",
    "secret",
    "session",
    "sign",
    "signature",
    "sku",
    "stream",
    "time",
    "timestamp",
    "timezone",
    "token",
    "trace",
    "transaction",
    "type",
    "user-agent",
    "ver",
    "version",
    "xtra",
];

/// Names by which proxies say who has signed in, that are in no family.
const USERS: [&str; 7] =
    ["x-email", "x-groups", "x-user", "x-user-email", "x-userinfo", "x-username", "ynh-user"];

/// The last words of headers that name a client (`X-Cluster-Client-IP`, `Remote-Addr`) or a proxy.
const LAST_WORDS: [&str; 9] =
    ["addr", "address", "ip", "ips", "ipv4", "ipv6", "remoteuser", "via", "xff"];

/// Of an address that is none of a network: `X-Email-Address`.
const OTHER_ADDRESSES: [&str; 10] = [
    "billing", "contract", "delivery", "email", "home", "mac", "mail", "postal", "shipping",
    "wallet",
];

/// What stands before the last word where nothing parts them, as in `X-SourceIP`.
const ROLES: [&str; 13] = [
    "client",
    "connecting",
    "host",
    "orig",
    "origin",
    "peer",
    "real",
    "remote",
    "socket",
    "source",
    "user",
    "viewer",
    "visitor",
];

/// Names of clients that a family of a proxy's has, too: those of libraries for Azure.
const CLIENTS: [&str; 3] =
    ["x-ms-client-request-id", "x-ms-client-session-id", "x-ms-client-version"];

/// Whether only a proxy adds a header of this name, which is in lower case. Servers differ in `-` and
/// `_`.
pub(super) fn is_proxy_header(name: &str) -> bool {
    if is_common(name) || is_one_of(&CLIENTS, name) {
        return false;
    }
    let has_x = begins(name, "x-");
    let bare = if has_x { &name[2..] } else { name };
    let has_word = |word: &&str| begins(bare, word) && is_end(bare, word.len());
    PARTS.iter().any(|part| name.contains(part))
        || BRANDS.iter().any(|brand| begins(bare, brand))
        || FIRST_WORDS.iter().any(has_word)
        || (has_x && X_FIRST_WORDS.iter().any(has_word))
        || is_one_of(&USERS, name)
        || SHARED_WORDS.iter().filter(|word| has_word(word)).any(|word| !is_own(bare, word))
        || is_last_word(name)
}

/// Whether a name is one that nearly every request has: a look at each list took longer. Not all that
/// begins so: a proxy may ask what it likes.
fn is_common(name: &str) -> bool {
    let is_of = |prefix: &str, rest: &[&str]| {
        name.strip_prefix(prefix).is_some_and(|end| rest.contains(&end))
    };
    match name.as_bytes() {
        [b'a', b'c', b'c', b'e', b'p', b't', ..] => {
            is_of("accept", &["", "-charset", "-encoding", "-language"])
        }
        [b'c', b'o', b'n', b't', ..] => is_of("content-", &["encoding", "length", "type"]),
        [b's', b'e', b'c', b'-', ..] => {
            is_of("sec-fetch-", &["dest", "mode", "site", "user"])
                || is_of("sec-ch-ua", &["", "-mobile", "-platform"])
                || is_of("sec-websocket-", &["extensions", "key", "protocol", "version"])
        }
        _ => matches!(
            name,
            "host"
                | "user-agent"
                | "cookie"
                | "origin"
                | "referer"
                | "authorization"
                | "upgrade"
                | "connection"
        ),
    }
}

/// Whether the second word of a name says what a client is, and not what a proxy knows of it. Without a
/// second word the name says nothing.
fn is_own(bare: &str, first: &str) -> bool {
    let Some(rest) = bare.get(first.len() + 1..) else { return true };
    OWN_WORDS.iter().any(|word| begins(rest, word) && is_end(rest, word.len()))
}

fn is_one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|known| known.len() == name.len() && begins(name, known))
}

/// Whether the last word of a name is for a network address.
fn is_last_word(name: &str) -> bool {
    let mut words = name.rsplit(['-', '_']);
    let word = words.next().unwrap_or_default();
    let parted = |of: &&str| word.strip_suffix(*of).is_some_and(|role| ROLES.contains(&role));
    if !LAST_WORDS.contains(&word) {
        return LAST_WORDS.iter().any(parted);
    }
    !(word.starts_with("addr") && words.next().is_some_and(|of| OTHER_ADDRESSES.contains(&of)))
}

/// Whether a name begins with another one, which has `-` where this may have `_`.
fn begins(name: &str, with: &str) -> bool {
    let alike = |(byte, of): (u8, u8)| byte == of || (byte, of) == (b'_', b'-');
    name.len() >= with.len() && name.bytes().zip(with.bytes()).all(alike)
}

/// Whether a word ends here.
fn is_end(name: &str, at: usize) -> bool {
    matches!(name.as_bytes().get(at), None | Some(b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As proxies, balancers, services and their guards send them.
    const OF_PROXIES: &str = "ali-cdn-real-ip akamai-origin-hop cdn-loop cf-connecting-ip \
        cf-connecting-ipv6 cf-ipcountry cf-pseudo-ipv4 cf-ray cf-visitor cf-worker client-ip \
        do-connecting-ip fastly-client-ip fastly-ff fastly-ssl fly-client-ip fly-region forwarded \
        forwarded-for Forwarded_For front-end-https incap-client-ip proxy-client-ip remote-addr \
        Remote_Addr ssl-client-cert ssl-client-verify surrogate-capability true-client-ip via \
        wl-proxy-client-ip wl-proxy-ssl http-x-forwarded-for http-client-ip max-forwards \
        proxy-authorization proxy-connection remote-user remote-groups x-remote-user \
        x-akamai-edgescape x-alicdn-da-ups-status x-amz-cf-id x-amzn-trace-id x-amzn-oidc-identity \
        x-appengine-user-ip x-appengine-country x-arr-log-id x-arr-ssl x-auth-request-user \
        x-authenticated-user x-authentik-username x-azure-clientip x-azure-fdid x-azure-ref \
        x-azure-socketip x-bluecoat-via x-cdn x-cdn-src-ip x-cdn-forwarded-for x-cert-cn \
        x-client-cert x-client-ip x-client-port x-clientip x-cloud-trace-context \
        x-cluster-client-ip x-cluster-client-port cloudfront-viewer-address \
        cloudfront-is-mobile-viewer cloudfront-forwarded-proto x-consumer-username \
        x-credential-identifier x-envoy-external-address x-envoy-expected-rq-timeout-ms \
        x-envoy-attempt-count x-fd-healthprobe x-forward-for x-forwarded X_Forwarded_For \
        x-forwarded-client-cert x-forwarded-for x-forwarded-port x-forwarded-proto \
        x-forwarded-server x-forwarded-tlsversion x-goog-authenticated-user-email \
        x-goog-iap-jwt-assertion x-heroku-queue-depth x-host x-http-forwarded-for x-https \
        x-kong-request-id x-kong-proxy-latency x-ms-client-principal-name \
        x-nf-client-connection-ip x-nokia-ipaddress x-nokia-gateway-id x-original-for \
        x-original-forwarded-for x-original-host x-original-proto x-original-url \
        x-originating-ip x-pomerium-claim-email x-proxyuser-ip X_Real_IP x-real-ip x-real-port \
        x-remote-addr x-remote-ip x-remote-port x-request-start x-rewrite-url x-scheme \
        x-source-ip x-sourceip Source_IP x-ssl x-ssl-cipher x-ssl-client-cn x-sslclientcn \
        tailscale-user-login tailscale-user-name x-tls-version x-traefik x-traefik-router \
        x-true-client-ip true-client-port x-url-scheme x-varnish x-vercel-forwarded-for \
        x-vercel-id x-vercel-ip-country x-webauth-user X_WebAuth_User x-wap-proxy-cookie \
        x-haproxy-server-state x-userip x-peer-addr x-realip x-xff xff x-https-protocol \
        $WSRA $WSRH $WSAT $WSSC $WSSN $WSSP $WSIS $WSCC $WSCS $WSPR iv-user iv-groups iv-creds \
        iv-remote-address SM_USER SMUSER sm-userdn sm_authdirname SM_SERVERSESSIONID \
        OAM_REMOTE_USER oam-identity-domain REMOTE_USER osso-user-dn client-port client-cert \
        client-cert-chain x-client-dn x-client-verify x-client-geo-location x-ms-client-principal \
        x-ms-client-principal-id x-ms-forwarded-client-ip x-ms-proxy x-ms-token-aad-id-token \
        x-ms-original-url x-ms-endpoint-absolute-path ms-aspnetcore-token l5d-dst-override \
        l5d-client-id l5d-remote-ip x-vouch-user x-vouch-idp-claims-sub x-auth-user x-auth-email \
        x-auth-username x-auth-groups auth-user x-ingress-path sec-forwarded-for \
        accept-forwarded if-forwarded-proto content-forwarded sec-client-ip if-remote-addr \
        x-user x-username x-email x-groups x-userinfo ynh_user oidc_claim_sub mellon_nameid \
        shib-session-id ajp_remote_port cas-user x-apigateway-api-userinfo x-replit-user-name \
        x-sandstorm-user-id disguised-host x-waws-unencoded-url x-appservice-proto x-slb-ip \
        slb-id eagleeye-traceid x-stgw-time x-ja3-fingerprint x-accel-internal x-f5-client \
        x-real-host x-real-proto x-real-url x-peer-cert x-viewer-address x-remote-address";

    /// As browsers, libraries and this gateway's clients send them.
    const OF_CLIENTS: &str = "accept accept-charset accept-encoding accept-language a-im \
        access-control-request-headers access-control-request-method \
        access-control-request-private-network alt-used api-key authorization available-dictionary \
        baggage cache-control connection content-disposition content-encoding content-language \
        content-length content-md5 content-type cookie date device-memory dnt downlink dpr \
        early-data ect expect from host http2-settings idempotency-key if-match if-modified-since \
        if-none-match if-range if-unmodified-since keep-alive last-event-id origin pragma priority \
        purpose range referer rtt save-data sec-ch-ua sec-ch-ua-arch sec-ch-ua-mobile \
        sec-ch-ua-platform sec-ch-prefers-color-scheme sec-fetch-dest sec-fetch-mode \
        sec-fetch-site sec-fetch-storage-access sec-fetch-user sec-gpc sec-purpose \
        sec-websocket-extensions sec-websocket-key sec-websocket-protocol sec-websocket-version \
        service-worker service-worker-navigation-preload te token traceparent tracestate trailer \
        transfer-encoding upgrade upgrade-insecure-requests user-agent viewport-width width \
        x-api-key x-api-version x-auth-token x-client-data x-csrf-token x-for \
        x-http-method-override x-moz x-no-retry x-pingback x-purpose x-request-id \
        x-requested-with x-retry x-xsrf-token x-wx-skey x-app-version x-user-agent x-session \
        x-trace-id x-correlation-id b3 x-b3-traceid x-device-id x-membership x-realm x-clients \
        x-flyer x-cfg client-id x-source x-country x-protocol x-portal x-skip x-hostess x-sourcemap \
        x-client-info x-client-version x-client-sku x-client-ver x-client-os x-client-cpu \
        x-client-last-telemetry x-client-current-telemetry x-client-id x-client-device-id \
        x-client-transaction-id x-goog-api-client x-goog-api-key x-goog-user-project \
        x-goog-request-params x-goog-authuser x-peer-id x-real-id x-email-address mac-address \
        x-wallet-address x-auth-key x-auth-signature x-auth-timestamp auth-token x-ms-version \
        x-ms-date x-ms-client-request-id x-ms-useragent x-amz-date x-smart x-ivory x-oidcs \
        x-elbow x-casual x-user-id x-peers x-authority accept-ch access-control-request-local \
        if-schedule-tag-match sec-ch-viewport-width sec-ch-ua-model sec-private-state-token";

    #[test]
    fn names_of_proxies_count_and_those_of_clients_do_not() {
        for name in OF_PROXIES.split_whitespace() {
            let name = name.to_lowercase();
            assert!(is_proxy_header(&name), "{name}");
            assert!(is_proxy_header(&name.replace('-', "_")), "{name}");
        }
        for name in OF_CLIENTS.split_whitespace() {
            assert!(!is_proxy_header(name), "{name}");
        }
    }
}
