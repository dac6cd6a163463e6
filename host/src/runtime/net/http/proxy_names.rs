//! Which names of headers show that a request has passed a proxy.
//!
//! A name that is wrongly taken for a client's lets the client of a proxy sign in by the proxy's
//! address; one that is wrongly taken for a proxy's costs a client that convenience. So whole families
//! of names count, and what clients send by themselves is what they are known to send.

/// What is in the names that proxies make for themselves: `X-Forwarded-For`, `Max-Forwards`,
/// `Proxy-Client-IP`.
const PARTS: [&str; 2] = ["forward", "proxy"];

/// What names begin with, `x-` left out, of products that stand before a server: these brands are
/// part of no other word.
const BRANDS: [&str; 33] = [
    "akamai",
    "alicdn",
    "amzn",
    "apigee",
    "appengine",
    "authelia",
    "authentik",
    "azure",
    "bluecoat",
    "cdn",
    "cloudflare",
    "cloudfront",
    "datadome",
    "envoy",
    "fastly",
    "haproxy",
    "heroku",
    "imperva",
    "incap",
    "istio",
    "kong",
    "netlify",
    "ngrok",
    "nokia",
    "pomerium",
    "railway",
    "sigsci",
    "ssl",
    "sucuri",
    "tailscale",
    "traefik",
    "varnish",
    "vercel",
];

/// The first words of names, `x-` left out: of products, of what a proxy knows of the client, and of
/// what the client had sent before the proxy changed it.
const FIRST_WORDS: [&str; 48] = [
    "ali-cdn",
    "amz-cf",
    "anonymous-consumer",
    "arr",
    "auth-request",
    "authenticated",
    "bd",
    "cert",
    "cf",
    "client-cert",
    "cloud-trace",
    "cluster-client",
    "coming-from",
    "connecting",
    "consumer",
    "credential-identifier",
    "downstream",
    "ec",
    "edge",
    "fd",
    "fly",
    "front-end-https",
    "goog",
    "http-host",
    "https",
    "iap",
    "lb",
    "ms-client-principal",
    "mwg",
    "nf",
    "oci",
    "origin-host",
    "original",
    "originating",
    "peer",
    "queue-start",
    "real",
    "remote",
    "request-start",
    "rewrite",
    "rndr",
    "server-name",
    "surrogate",
    "tencent",
    "tls",
    "true-client",
    "url-scheme",
    "webauth",
];

/// The same of words that say this only after `x-`.
const X_FIRST_WORDS: [&str; 4] = ["client", "host", "port", "scheme"];

/// The last words of headers that name a client (`X-Cluster-Client-IP`, `Remote-Addr`) or a proxy.
const LAST_WORDS: [&str; 9] =
    ["addr", "address", "ip", "ips", "ipv4", "ipv6", "remoteuser", "via", "xff"];

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

/// Names of clients that a family of a proxy's has, too: Chromium's.
const CLIENTS: [&str; 1] = ["x-client-data"];

/// Whether only a proxy adds a header of this name, which is in lower case. Servers differ in `-` and
/// `_`.
pub(super) fn is_proxy_header(name: &str) -> bool {
    if is_common(name) || CLIENTS.contains(&name) {
        return false;
    }
    let has_x = begins(name, "x-");
    let bare = if has_x { &name[2..] } else { name };
    let has_word = |word: &&str| begins(bare, word) && is_end(bare, word.len());
    PARTS.iter().any(|part| name.contains(part))
        || BRANDS.iter().any(|brand| begins(bare, brand))
        || FIRST_WORDS.iter().any(has_word)
        || (has_x && X_FIRST_WORDS.iter().any(has_word))
        || is_last_word(name.rsplit(['-', '_']).next().unwrap_or_default())
}

/// Whether a name is one that nearly every request has: a look at each list took longer.
fn is_common(name: &str) -> bool {
    match name.as_bytes() {
        [b'a', b'c', b'c', b'e', ..] => name.starts_with("accept") || name.starts_with("access-"),
        [b'c', b'o', b'n', ..] => name == "connection" || name.starts_with("content-"),
        [b's', b'e', b'c', b'-', ..] | [b'i', b'f', b'-', ..] => true,
        _ => matches!(
            name,
            "host" | "user-agent" | "cookie" | "origin" | "referer" | "authorization" | "upgrade"
        ),
    }
}

fn is_last_word(word: &str) -> bool {
    let parted = |of: &&str| word.strip_suffix(*of).is_some_and(|role| ROLES.contains(&role));
    LAST_WORDS.contains(&word) || LAST_WORDS.iter().any(parted)
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
        x-haproxy-server-state x-userip x-peer-addr x-realip x-xff xff x-https-protocol";

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
        x-flyer x-cfg client-id x-source x-country x-protocol x-portal x-skip x-hostess x-sourcemap";

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
