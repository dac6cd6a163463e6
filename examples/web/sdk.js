// dist/backoff.js
var Backoff = class {
  #firstMs;
  #maxMs;
  #nextMs;
  constructor({ firstMs = 250, maxMs = 15e3 } = {}) {
    this.#firstMs = firstMs;
    this.#maxMs = maxMs;
    this.#nextMs = firstMs;
  }
  /** Waits for the next time, at least `leastMs`; each wait is twice the last, less up to a half by chance. */
  async wait(leastMs = 0, signal) {
    const ms = this.#nextMs * (0.5 + Math.random() / 2);
    this.#nextMs = Math.min(this.#nextMs * 2, this.#maxMs);
    await sleep(Math.max(ms, leastMs), signal);
  }
  /** It worked: the next wait is the first again. */
  reset() {
    this.#nextMs = this.#firstMs;
  }
};
function sleep(ms, signal) {
  return new Promise((resolve) => {
    if (signal?.aborted)
      return resolve();
    const done2 = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done2);
      resolve();
    };
    const timer = setTimeout(done2, ms);
    signal?.addEventListener("abort", done2, { once: true });
  });
}

// node_modules/openapi-fetch/dist/index.mjs
var PATH_PARAM_RE = /\{[^{}]+\}/g;
var supportsRequestInitExt = () => {
  return typeof process === "object" && Number.parseInt(process?.versions?.node?.substring(0, 2)) >= 18 && process.versions.undici;
};
function randomID() {
  return Math.random().toString(36).slice(2, 11);
}
function createClient(clientOptions) {
  let {
    baseUrl = "",
    Request: CustomRequest = globalThis.Request,
    fetch: baseFetch = globalThis.fetch,
    querySerializer: globalQuerySerializer,
    bodySerializer: globalBodySerializer,
    pathSerializer: globalPathSerializer,
    headers: baseHeaders,
    requestInitExt = void 0,
    ...baseOptions
  } = { ...clientOptions };
  requestInitExt = supportsRequestInitExt() ? requestInitExt : void 0;
  baseUrl = removeTrailingSlash(baseUrl);
  const globalMiddlewares = [];
  async function coreFetch(schemaPath, fetchOptions) {
    const {
      baseUrl: localBaseUrl,
      fetch = baseFetch,
      Request = CustomRequest,
      headers,
      params = {},
      parseAs = "json",
      querySerializer: requestQuerySerializer,
      bodySerializer = globalBodySerializer ?? defaultBodySerializer,
      pathSerializer: requestPathSerializer,
      body,
      middleware: requestMiddlewares = [],
      ...init
    } = fetchOptions || {};
    let finalBaseUrl = baseUrl;
    if (localBaseUrl) {
      finalBaseUrl = removeTrailingSlash(localBaseUrl) ?? baseUrl;
    }
    let querySerializer = typeof globalQuerySerializer === "function" ? globalQuerySerializer : createQuerySerializer(globalQuerySerializer);
    if (requestQuerySerializer) {
      querySerializer = typeof requestQuerySerializer === "function" ? requestQuerySerializer : createQuerySerializer({
        ...typeof globalQuerySerializer === "object" ? globalQuerySerializer : {},
        ...requestQuerySerializer
      });
    }
    const pathSerializer = requestPathSerializer || globalPathSerializer || defaultPathSerializer;
    const serializedBody = body === void 0 ? void 0 : bodySerializer(
      body,
      // Note: we declare mergeHeaders() both here and below because it’s a bit of a chicken-or-egg situation:
      // bodySerializer() needs all headers so we aren’t dropping ones set by the user, however,
      // the result of this ALSO sets the lowest-priority content-type header. So we re-merge below,
      // setting the content-type at the very beginning to be overwritten.
      // Lastly, based on the way headers work, it’s not a simple “present-or-not” check becauase null intentionally un-sets headers.
      mergeHeaders(baseHeaders, headers, params.header)
    );
    const finalHeaders = mergeHeaders(
      // with no body, we should not to set Content-Type
      serializedBody === void 0 || // if serialized body is FormData; browser will correctly set Content-Type & boundary expression
      serializedBody instanceof FormData ? {} : {
        "Content-Type": "application/json"
      },
      baseHeaders,
      headers,
      params.header
    );
    const finalMiddlewares = [...globalMiddlewares, ...requestMiddlewares];
    const requestInit = {
      redirect: "follow",
      ...baseOptions,
      ...init,
      body: serializedBody,
      headers: finalHeaders
    };
    let id;
    let options;
    let request = new Request(
      createFinalURL(schemaPath, { baseUrl: finalBaseUrl, params, querySerializer, pathSerializer }),
      requestInit
    );
    let response;
    for (const key in init) {
      if (!(key in request)) {
        request[key] = init[key];
      }
    }
    if (finalMiddlewares.length) {
      id = randomID();
      options = Object.freeze({
        baseUrl: finalBaseUrl,
        fetch,
        parseAs,
        querySerializer,
        bodySerializer,
        pathSerializer
      });
      for (const m of finalMiddlewares) {
        if (m && typeof m === "object" && typeof m.onRequest === "function") {
          const result = await m.onRequest({
            request,
            schemaPath,
            params,
            options,
            id
          });
          if (result) {
            if (result instanceof Request) {
              request = result;
            } else if (result instanceof Response) {
              response = result;
              break;
            } else {
              throw new Error("onRequest: must return new Request() or Response() when modifying the request");
            }
          }
        }
      }
    }
    if (!response) {
      try {
        response = await fetch(request, requestInitExt);
      } catch (error2) {
        let errorAfterMiddleware = error2;
        if (finalMiddlewares.length) {
          for (let i = finalMiddlewares.length - 1; i >= 0; i--) {
            const m = finalMiddlewares[i];
            if (m && typeof m === "object" && typeof m.onError === "function") {
              const result = await m.onError({
                request,
                error: errorAfterMiddleware,
                schemaPath,
                params,
                options,
                id
              });
              if (result) {
                if (result instanceof Response) {
                  errorAfterMiddleware = void 0;
                  response = result;
                  break;
                }
                if (result instanceof Error) {
                  errorAfterMiddleware = result;
                  continue;
                }
                throw new Error("onError: must return new Response() or instance of Error");
              }
            }
          }
        }
        if (errorAfterMiddleware) {
          throw errorAfterMiddleware;
        }
      }
      if (finalMiddlewares.length) {
        for (let i = finalMiddlewares.length - 1; i >= 0; i--) {
          const m = finalMiddlewares[i];
          if (m && typeof m === "object" && typeof m.onResponse === "function") {
            const result = await m.onResponse({
              request,
              response,
              schemaPath,
              params,
              options,
              id
            });
            if (result) {
              if (!(result instanceof Response)) {
                throw new Error("onResponse: must return new Response() when modifying the response");
              }
              response = result;
            }
          }
        }
      }
    }
    const contentLength = response.headers.get("Content-Length");
    if (response.status === 204 || request.method === "HEAD" || contentLength === "0" && !response.headers.get("Transfer-Encoding")?.includes("chunked")) {
      return response.ok ? { data: void 0, response } : { error: void 0, response };
    }
    if (response.ok) {
      const getResponseData = async () => {
        if (parseAs === "stream") {
          return response.body;
        }
        if (parseAs === "json" && !contentLength) {
          const raw = await response.text();
          return raw ? JSON.parse(raw) : void 0;
        }
        return await response[parseAs]();
      };
      return { data: await getResponseData(), response };
    }
    let error = await response.text();
    try {
      error = JSON.parse(error);
    } catch {
    }
    return { error, response };
  }
  return {
    request(method, url, init) {
      return coreFetch(url, { ...init, method: method.toUpperCase() });
    },
    /** Call a GET endpoint */
    GET(url, init) {
      return coreFetch(url, { ...init, method: "GET" });
    },
    /** Call a PUT endpoint */
    PUT(url, init) {
      return coreFetch(url, { ...init, method: "PUT" });
    },
    /** Call a POST endpoint */
    POST(url, init) {
      return coreFetch(url, { ...init, method: "POST" });
    },
    /** Call a DELETE endpoint */
    DELETE(url, init) {
      return coreFetch(url, { ...init, method: "DELETE" });
    },
    /** Call a OPTIONS endpoint */
    OPTIONS(url, init) {
      return coreFetch(url, { ...init, method: "OPTIONS" });
    },
    /** Call a HEAD endpoint */
    HEAD(url, init) {
      return coreFetch(url, { ...init, method: "HEAD" });
    },
    /** Call a PATCH endpoint */
    PATCH(url, init) {
      return coreFetch(url, { ...init, method: "PATCH" });
    },
    /** Call a TRACE endpoint */
    TRACE(url, init) {
      return coreFetch(url, { ...init, method: "TRACE" });
    },
    /** Register middleware */
    use(...middleware) {
      for (const m of middleware) {
        if (!m) {
          continue;
        }
        if (typeof m !== "object" || !("onRequest" in m || "onResponse" in m || "onError" in m)) {
          throw new Error("Middleware must be an object with one of `onRequest()`, `onResponse() or `onError()`");
        }
        globalMiddlewares.push(m);
      }
    },
    /** Unregister middleware */
    eject(...middleware) {
      for (const m of middleware) {
        const i = globalMiddlewares.indexOf(m);
        if (i !== -1) {
          globalMiddlewares.splice(i, 1);
        }
      }
    }
  };
}
function serializePrimitiveParam(name, value, options) {
  if (value === void 0 || value === null) {
    return "";
  }
  if (typeof value === "object") {
    throw new Error(
      "Deeply-nested arrays/objects aren\u2019t supported. Provide your own `querySerializer()` to handle these."
    );
  }
  return `${name}=${options?.allowReserved === true ? value : encodeURIComponent(value)}`;
}
function serializeObjectParam(name, value, options) {
  if (!value || typeof value !== "object") {
    return "";
  }
  const values = [];
  const joiner = {
    simple: ",",
    label: ".",
    matrix: ";"
  }[options.style] || "&";
  if (options.style !== "deepObject" && options.explode === false) {
    for (const k in value) {
      values.push(k, options.allowReserved === true ? value[k] : encodeURIComponent(value[k]));
    }
    const final2 = values.join(",");
    switch (options.style) {
      case "form": {
        return `${name}=${final2}`;
      }
      case "label": {
        return `.${final2}`;
      }
      case "matrix": {
        return `;${name}=${final2}`;
      }
      default: {
        return final2;
      }
    }
  }
  for (const k in value) {
    const finalName = options.style === "deepObject" ? `${name}[${k}]` : k;
    values.push(serializePrimitiveParam(finalName, value[k], options));
  }
  const final = values.join(joiner);
  return options.style === "label" || options.style === "matrix" ? `${joiner}${final}` : final;
}
function serializeArrayParam(name, value, options) {
  if (!Array.isArray(value)) {
    return "";
  }
  if (options.explode === false) {
    const joiner2 = { form: ",", spaceDelimited: "%20", pipeDelimited: "|" }[options.style] || ",";
    const final = (options.allowReserved === true ? value : value.map((v) => encodeURIComponent(v))).join(joiner2);
    switch (options.style) {
      case "simple": {
        return final;
      }
      case "label": {
        return `.${final}`;
      }
      case "matrix": {
        return `;${name}=${final}`;
      }
      // case "spaceDelimited":
      // case "pipeDelimited":
      default: {
        return `${name}=${final}`;
      }
    }
  }
  const joiner = { simple: ",", label: ".", matrix: ";" }[options.style] || "&";
  const values = [];
  for (const v of value) {
    if (options.style === "simple" || options.style === "label") {
      values.push(options.allowReserved === true ? v : encodeURIComponent(v));
    } else {
      values.push(serializePrimitiveParam(name, v, options));
    }
  }
  return options.style === "label" || options.style === "matrix" ? `${joiner}${values.join(joiner)}` : values.join(joiner);
}
function createQuerySerializer(options) {
  return function querySerializer(queryParams) {
    const search = [];
    if (queryParams && typeof queryParams === "object") {
      for (const name in queryParams) {
        const value = queryParams[name];
        if (value === void 0 || value === null) {
          continue;
        }
        if (Array.isArray(value)) {
          if (value.length === 0) {
            continue;
          }
          search.push(
            serializeArrayParam(name, value, {
              style: "form",
              explode: true,
              ...options?.array,
              allowReserved: options?.allowReserved || false
            })
          );
          continue;
        }
        if (typeof value === "object") {
          search.push(
            serializeObjectParam(name, value, {
              style: "deepObject",
              explode: true,
              ...options?.object,
              allowReserved: options?.allowReserved || false
            })
          );
          continue;
        }
        search.push(serializePrimitiveParam(name, value, options));
      }
    }
    return search.join("&");
  };
}
function defaultPathSerializer(pathname, pathParams) {
  let nextURL = pathname;
  for (const match of pathname.match(PATH_PARAM_RE) ?? []) {
    let name = match.substring(1, match.length - 1);
    let explode = false;
    let style = "simple";
    if (name.endsWith("*")) {
      explode = true;
      name = name.substring(0, name.length - 1);
    }
    if (name.startsWith(".")) {
      style = "label";
      name = name.substring(1);
    } else if (name.startsWith(";")) {
      style = "matrix";
      name = name.substring(1);
    }
    if (!pathParams || pathParams[name] === void 0 || pathParams[name] === null) {
      continue;
    }
    const value = pathParams[name];
    if (Array.isArray(value)) {
      nextURL = nextURL.replace(match, serializeArrayParam(name, value, { style, explode }));
      continue;
    }
    if (typeof value === "object") {
      nextURL = nextURL.replace(match, serializeObjectParam(name, value, { style, explode }));
      continue;
    }
    if (style === "matrix") {
      nextURL = nextURL.replace(match, `;${serializePrimitiveParam(name, value)}`);
      continue;
    }
    nextURL = nextURL.replace(match, style === "label" ? `.${encodeURIComponent(value)}` : encodeURIComponent(value));
  }
  return nextURL;
}
function defaultBodySerializer(body, headers) {
  if (body instanceof FormData) {
    return body;
  }
  if (headers) {
    const contentType = headers.get instanceof Function ? headers.get("Content-Type") ?? headers.get("content-type") : headers["Content-Type"] ?? headers["content-type"];
    if (contentType === "application/x-www-form-urlencoded") {
      return new URLSearchParams(body).toString();
    }
  }
  return JSON.stringify(body);
}
function createFinalURL(pathname, options) {
  let finalURL = `${options.baseUrl}${pathname}`;
  if (options.params?.path) {
    finalURL = options.pathSerializer(finalURL, options.params.path);
  }
  let search = options.querySerializer(options.params.query ?? {});
  if (search.startsWith("?")) {
    search = search.substring(1);
  }
  if (search) {
    finalURL += `?${search}`;
  }
  return finalURL;
}
function mergeHeaders(...allHeaders) {
  const finalHeaders = new Headers();
  for (const h of allHeaders) {
    if (!h || typeof h !== "object") {
      continue;
    }
    const iterator = h instanceof Headers ? h.entries() : Object.entries(h);
    for (const [k, v] of iterator) {
      if (v === null) {
        finalHeaders.delete(k);
      } else if (Array.isArray(v)) {
        for (const v2 of v) {
          finalHeaders.append(k, v2);
        }
      } else if (v !== void 0) {
        finalHeaders.set(k, v);
      }
    }
  }
  return finalHeaders;
}
function removeTrailingSlash(url) {
  if (url.endsWith("/")) {
    return url.substring(0, url.length - 1);
  }
  return url;
}

// dist/error.js
var ChatroomError = class extends Error {
  code;
  status;
  name = "ChatroomError";
  constructor(code, status) {
    super(code);
    this.code = code;
    this.status = status;
  }
  /** Whether the same request may succeed later. */
  get isPassing() {
    return ["slow down", "server busy", "server error"].includes(this.code) || this.status === 429 || this.status >= 500;
  }
};

// dist/feed.js
var Feed = class {
  #readers = /* @__PURE__ */ new Set();
  /** Calls `taken` when every iteration has asked for what comes after the item: its program is done with it. */
  push(item, taken = () => {
  }) {
    if (this.#readers.size === 0)
      return taken();
    const entry = { item, left: this.#readers.size, taken };
    for (const reader of this.#readers)
      reader(entry);
  }
  /**
   * All that is pushed from this call on, until `closed` is aborted. What is not taken yet is kept, however much it is.
   * Ends without an error if `closed` was aborted with one that is `quiet`.
   */
  read(closed, quiet) {
    const entries = [];
    let last;
    let wake = () => {
    };
    const reader = (entry) => {
      entries.push(entry);
      wake();
    };
    this.#readers.add(reader);
    const wakeUp = () => wake();
    closed.addEventListener("abort", wakeUp);
    const end = () => {
      this.#readers.delete(reader);
      closed.removeEventListener("abort", wakeUp);
    };
    const next = async () => {
      if (last && --last.left === 0)
        last.taken();
      last = void 0;
      while (entries.length === 0 && !closed.aborted)
        await new Promise((resolve) => wake = resolve);
      last = entries.shift();
      if (last)
        return { done: false, value: last.item };
      end();
      if (!quiet(closed.reason))
        throw closed.reason;
      return { done: true, value: void 0 };
    };
    return {
      next,
      return: async () => {
        end();
        return { done: true, value: void 0 };
      },
      [Symbol.asyncIterator]() {
        return this;
      }
    };
  }
};

// dist/link.js
var ConnectionLost = class extends Error {
  name = "ConnectionLost";
};
var Link = class {
  #handler;
  #options;
  #backoff;
  #closing = new AbortController();
  #wire;
  #up;
  constructor(handler, options) {
    this.#handler = handler;
    this.#options = options;
    this.#backoff = new Backoff(options);
  }
  /** Resolves when there is a connection that was greeted. Makes the first one; throws where that fails, or once the link is closed. */
  up() {
    this.#up ??= this.#attempt().catch((error) => {
      if (!this.closed.aborted)
        this.#up = void 0;
      throw error;
    });
    return this.#up;
  }
  /** Sends on the connection that there is. */
  send(message) {
    if (!this.#wire)
      throw new ConnectionLost("there is no connection");
    this.#wire.send(message);
  }
  /** Ends it, for good. */
  close(why = new ConnectionLost("closed")) {
    if (this.closed.aborted)
      return;
    this.#closing.abort(why);
    this.#up = Promise.reject(why);
    this.#up.catch(() => {
    });
    this.#wire?.close();
  }
  /** Aborted when the link is closed, with the reason. */
  get closed() {
    return this.#closing.signal;
  }
  async #attempt() {
    let isUp = false;
    let lost;
    const ended = (why) => {
      lost = why;
      this.#wire = void 0;
      this.#handler.lost(why);
      if (isUp)
        this.#comeBack(why);
    };
    const wire = await this.#handler.open({ message: (message) => this.#handler.message(message), ended });
    this.#wire = wire;
    try {
      this.closed.throwIfAborted();
      await this.#handler.greet();
      if (lost)
        throw lost;
    } catch (error) {
      wire.close();
      throw error;
    }
    isUp = true;
    this.#backoff.reset();
  }
  #comeBack(why) {
    if (this.closed.aborted)
      return;
    this.#options.onTrouble?.(why);
    this.#up = this.#retry();
    this.#up.catch(() => {
    });
  }
  async #retry() {
    for (; ; ) {
      await this.#backoff.wait(0, this.closed);
      this.closed.throwIfAborted();
      try {
        await this.#attempt();
        break;
      } catch (error) {
        if (this.#handler.isFinal(error))
          this.close(error);
        this.closed.throwIfAborted();
        this.#options.onTrouble?.(error);
      }
    }
    this.#options.onReconnect?.();
  }
};

// dist/pending.js
var Pending = class {
  #waiting = [];
  /** Resolves with the first message that fits and that no earlier request took. */
  answer(fits) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ fits, resolve, reject });
    });
  }
  /** Whether the message is the answer to a request. */
  take(message) {
    const waiting = this.#waiting.find((one) => one.fits(message));
    if (!waiting)
      return false;
    this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
    waiting.resolve(message);
    return true;
  }
  /** The oldest request was refused. Whether there was one. */
  refuse(why) {
    const waiting = this.#waiting.shift();
    waiting?.reject(why);
    return waiting !== void 0;
  }
  /** None will be answered any more. */
  fail(why) {
    for (const waiting of this.#waiting.splice(0))
      waiting.reject(why);
  }
};

// dist/websocket.browser.js
var OPENING_MS = 1e4;
function openWebSocket(url, _headers, told) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url);
    let isOver = false;
    const end = (why) => {
      if (isOver)
        return;
      isOver = true;
      clearTimeout(opening);
      removeEventListener("offline", offline);
      socket.close();
      const lost = new ConnectionLost(`${url}: ${why}`);
      reject(lost);
      told.ended(lost);
    };
    const opening = setTimeout(() => end("no answer to the handshake"), OPENING_MS);
    const offline = () => end("the network is gone");
    addEventListener("offline", offline);
    socket.addEventListener("open", () => {
      clearTimeout(opening);
      resolve({ send: (message) => socket.send(JSON.stringify(message)), close: () => end("closed by the client") });
    });
    socket.addEventListener("message", ({ data }) => {
      if (!isOver)
        told.message(JSON.parse(data));
    });
    socket.addEventListener("close", ({ code, reason }) => end(`closed with ${code} ${reason}`));
  });
}

// dist/client.js
var BEGIN_NOW = Number.MAX_SAFE_INTEGER;
var ChatroomClient = class {
  /** Every operation of the HTTP part as it was generated. */
  api;
  #options;
  #link;
  #pending = new Pending();
  #feed = new Feed();
  #rooms = /* @__PURE__ */ new Set();
  /** Up to which message what was said in a room has come. */
  #newest = /* @__PURE__ */ new Map();
  #patience = new Backoff({});
  #account;
  #cookie;
  #name;
  constructor(options = {}) {
    const { baseUrl = "http://127.0.0.1:5000", webSocketUrl = "ws://127.0.0.1:2333", headers = {} } = options;
    this.#options = options;
    this.api = createClient({ baseUrl, headers });
    this.api.use({
      onRequest: ({ request }) => {
        if (this.#cookie)
          request.headers.set("cookie", this.#cookie);
        return request;
      }
    });
    this.#link = new Link({
      open: async (told) => {
        if (this.#account)
          await this.#login(this.#account);
        return openWebSocket(webSocketUrl, { ...headers, ...this.#cookie && { cookie: this.#cookie } }, told);
      },
      greet: () => this.#joinAgain(),
      message: (packet) => this.#receive(packet),
      lost: (why) => this.#pending.fail(why),
      isFinal: (error) => error instanceof ChatroomError && !error.isPassing
    }, options);
  }
  /** Makes an account. `name` is who it is in every dialect, for good. It does not sign in. */
  async register(tel, name, password) {
    const body = { user_tel: tel, user_name: name, user_password: password };
    await done(this.api.POST("/auth/register", { body }), "register successfully");
  }
  /** Signs in: the client is this account from now on. */
  async login(tel, password) {
    const account = { user_tel: tel, user_password: password };
    const data = await this.#login(account);
    this.#account = account;
    this.#name = data.user_name;
    return data;
  }
  /** Goes by a name that no account has, without signing in. */
  beGuest(name) {
    this.#name = name;
  }
  /** Every room that is open, with how many are in it. */
  async rooms() {
    const reply = await done(this.api.POST("/chatroom/list"));
    return reply.rooms;
  }
  /** Makes a room without an owner. */
  async createRoom(room_name) {
    await done(this.api.POST("/chatroom/create", { body: { room_name } }), "chatroom create successfully");
  }
  /** Takes a seat in a room ahead of `join`, which then uses it. Rarely needed: `join` takes one where there is none. */
  async takeSeat(room_name) {
    const body = { room_name, user_name: this.name, status: 1 };
    await done(this.api.POST("/chatroom/room", { body }), "join chatroom");
  }
  /** Gives back a seat that `takeSeat` took. */
  async giveSeatBack(room_name) {
    const body = { room_name, user_name: this.name, status: 0 };
    await done(this.api.POST("/chatroom/room", { body }), "leave chatroom");
  }
  /**
   * Enters a room: what is said in it comes from now on, also what is said while the connection is broken.
   * `since`: the `id` of a message; what was said after it comes first. 0 for all that there is.
   */
  async join(room, since) {
    await this.#link.up();
    const known = this.#rooms.has(room) ? this.#newest.get(room) : void 0;
    await this.#enter(room, since ?? known ?? BEGIN_NOW);
    this.#rooms.add(room);
  }
  /** Leaves a room. */
  async leave(room) {
    await this.#link.up();
    this.#rooms.delete(room);
    await this.#ask({ type: "leave", data: this.#given(room) }, this.#ownUser(room, (msg) => msg === "leave"));
  }
  /**
   * Says something in a room that was joined, once. Resolves when it is in the room, with its `id`.
   *
   * Where the connection breaks before the answer, it is sent again with the same `clientId`: a name for the message,
   * 1 to 200 bytes, of the client's own. Sent again by another run of the program, it is the same message for a day.
   */
  async say(room, text, clientId = crypto.randomUUID()) {
    const packet = { type: "msg", data: { ...this.#given(room), msg: text, client_id: clientId } };
    const isAnswer = (told) => told.type === "posted" && told.data.client_id === clientId;
    for (; ; ) {
      await this.#link.up();
      try {
        const id = (await this.#ask(packet, isAnswer)).data.id;
        this.#patience.reset();
        return id;
      } catch (error) {
        const isUnknown = error instanceof ChatroomError && error.code === "outcome unknown";
        if (!isUnknown && !(error instanceof ConnectionLost))
          throw error;
        this.#options.onTrouble?.(error);
        if (isUnknown)
          await this.#patience.wait(0, this.#link.closed);
      }
    }
  }
  /**
   * What is said in the rooms that were joined, and who comes and goes, the own ones too, from this call on. A packet
   * `gap` stands for messages that are not there any more: too many were missed, or they were removed.
   */
  packets() {
    return this.#feed.read(this.#link.closed, (reason) => reason instanceof ConnectionLost);
  }
  /** Hangs up. Iterations end. */
  close() {
    this.#link.close();
  }
  /** The user name. */
  get name() {
    if (this.#name === void 0)
      throw new Error("not logged in: call login or beGuest first");
    return this.#name;
  }
  async #login(account) {
    const call = await this.api.POST("/auth/login", { body: account });
    const { data } = await done(Promise.resolve(call), "login successfully");
    const cookies = call.response.headers.getSetCookie().map((cookie) => cookie.split(";")[0]);
    if (cookies.length > 0)
      this.#cookie = cookies.join("; ");
    return data;
  }
  async #joinAgain() {
    for (const room of [...this.#rooms]) {
      try {
        await this.#enter(room, this.#newest.get(room) ?? BEGIN_NOW);
      } catch (error) {
        if (!(error instanceof ChatroomError) || error.isPassing)
          throw error;
        this.#rooms.delete(room);
        this.#options.onTrouble?.(error);
        this.#options.onRoomLost?.(room, error);
      }
    }
  }
  async #enter(room, since) {
    if (since !== BEGIN_NOW)
      this.#newest.set(room, since);
    const isAnswer = (told) => told.type === "caught_up" && told.data.room_name === room;
    await this.#ask({ type: "join", data: { ...this.#given(room), since } }, isAnswer);
  }
  async #ask(packet, fits) {
    this.#link.send(packet);
    return await this.#pending.answer(fits);
  }
  /** A success is what the whole room receives; an error belongs to the oldest request. */
  #receive(packet) {
    if (packet.type === "error") {
      const error = new ChatroomError(packet.data.msg, 0);
      if (!this.#pending.refuse(error))
        this.#options.onTrouble?.(error);
      return;
    }
    const { room_name } = packet.data;
    if (packet.type === "msg" && packet.data.id != null && !this.#note(room_name, packet.data.id))
      return;
    if (packet.type === "caught_up")
      this.#note(room_name, packet.data.id);
    this.#pending.take(packet);
    if (packet.type !== "caught_up" && packet.type !== "posted")
      this.#feed.push(packet);
  }
  /** The messages of a room up to this one have come. Whether that is news. */
  #note(room, id) {
    if (id <= (this.#newest.get(room) ?? -1))
      return false;
    this.#newest.set(room, id);
    return true;
  }
  #given(room_name) {
    return { user: { user_name: this.name, user_avatar: "" }, room_name, msg: "" };
  }
  #isOwn(packet, room) {
    return packet.data.room_name === room && packet.data.user.user_name === this.name;
  }
  #ownUser(room, is) {
    return (packet) => packet.type === "user" && is(packet.data.msg) && this.#isOwn(packet, room);
  }
};
async function done(call, ...expected) {
  const { data, error, response } = await call;
  const { res } = data ?? error ?? {};
  const isDone = res === void 0 ? expected.length === 0 : expected.includes(res);
  if (data === void 0 || !isDone)
    throw new ChatroomError(res ?? `HTTP status ${response.status}`, response.status);
  return data;
}
export {
  Backoff,
  ChatroomClient,
  ChatroomError,
  ConnectionLost
};
