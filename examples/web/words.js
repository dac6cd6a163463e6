// The texts of the page, in English and in Chinese.

const one = (n, singular, plural) => `${n} ${n === 1 ? singular : plural}`;

const EN = {
  title: "Dragoman chat",
  language: "Language",
  theme: "Colors",
  themeAuto: "As the system",
  themeLight: "Light",
  themeDark: "Dark",
  signOut: "Sign out",

  online: "Connected",
  connecting: "Connecting…",
  offline: "No connection; trying again…",

  asGuest: "Guest",
  signIn: "Sign in",
  register: "Register",
  how: "How to enter",
  name: "Name",
  tel: "Telephone number",
  password: "Password",
  enter: "Enter",
  guestHint: "A name that no account has. Anyone may use it.",
  registerHint: "The name is yours in every dialect of this gateway, for good.",
  badTel: "A telephone number has 1 to 20 digits.",
  badName: "A name has 1 to 64 characters, and begins neither with @ nor with guest:",

  rooms: "Rooms",
  yourRooms: "Your rooms",
  otherRooms: "More rooms",
  search: "Search rooms",
  noRooms: "No room has such a name.",
  moreRooms: ({ n }) => `${one(n, "more room", "more rooms")}: search to find them`,
  newRoom: "New room",
  create: "Create",
  inRoom: ({ n }) => `${n} in the room`,
  unread: ({ n }) => `${n} unread`,
  back: "Rooms",
  pickRoom: "Pick a room, or make one.",

  leave: "Leave",
  join: "Join again",
  members: "Members",
  close: "Close",
  membersHint: "Those who came or spoke since you are here. Others may be in the room, silent.",
  you: "you",
  messages: ({ room }) => `Messages in ${room}`,
  earlier: "Earlier messages",
  latest: "To the newest message",
  beginning: "This is the first message that there is.",
  gap: ({ n }) => `${one(n, "message is", "messages are")} not here`,
  gapUnknown: "Some messages are not here",
  newMessages: "New messages",
  joined: ({ names }) => `${names} joined`,
  left: ({ names }) => `${names} left`,
  andMore: ({ names, n }) => `${names} and ${n} more`,
  write: ({ room }) => `Message to ${room}`,
  writeShort: "Message",
  send: "Send",
  sending: "Sending…",
  sent: "Sent",
  failed: ({ why }) => `Not sent: ${why}`,
  retry: "Try again",
  discard: "Discard",
  showAll: "Show all",
  showLess: "Show less",
  joining: "Joining…",
  notIn: ({ why }) => `You are not in this room: ${why}`,
  interrupted: "the page was closed before there was an answer",

  refusals: {
    "user exist": "An account has this name or number.",
    "password wrong": "The password is wrong.",
    "user not exist": "There is no such user in the room, or no such account.",
    "invalid user_tel": "This is no telephone number.",
    "invalid user_name": "This name cannot be used.",
    "invalid room_name": "A room cannot have this name.",
    "invalid user_password": "This password cannot be used.",
    "missing parameters": "Something is left empty.",
    "chatroom already exist": "A room has this name.",
    "not signed in": "This name belongs to an account, or guests are not allowed: sign in.",
    "not allowed": "There are too many rooms.",
    "room full": "The room is full.",
    "full room": "The room is full.",
    "room not exist": "The room does not exist any more.",
    "slow down": "That was too fast. Try again in a moment.",
    "server busy": "The server is busy. Try again in a moment.",
    "server error": "The server has a failure. Try again later.",
    "outcome unknown": "The server does not know whether it was done.",
    "illegal data": "The text is too long, or the name cannot be used.",
    "key reused": "This message was sent before with another text.",
    unreachable: "The server cannot be reached.",
  },
};

const ZH = {
  title: "Dragoman 聊天",
  language: "语言",
  theme: "颜色",
  themeAuto: "跟随系统",
  themeLight: "浅色",
  themeDark: "深色",
  signOut: "退出",

  online: "已连接",
  connecting: "正在连接…",
  offline: "连接已断开，正在重试…",

  asGuest: "访客",
  signIn: "登录",
  register: "注册",
  how: "进入方式",
  name: "名字",
  tel: "电话号码",
  password: "密码",
  enter: "进入",
  guestHint: "没有账号使用的名字，任何人都可以用。",
  registerHint: "这个名字在本网关的所有协议中永远属于您。",
  badTel: "电话号码是 1 到 20 位数字。",
  badName: "名字有 1 到 64 个字符，不能以 @ 或 guest: 开头。",

  rooms: "房间",
  yourRooms: "我的房间",
  otherRooms: "更多房间",
  search: "搜索房间",
  noRooms: "没有这样的房间。",
  moreRooms: ({ n }) => `还有 ${n} 个房间，请搜索`,
  newRoom: "新房间",
  create: "创建",
  inRoom: ({ n }) => `${n} 人在房间里`,
  unread: ({ n }) => `${n} 条未读`,
  back: "房间",
  pickRoom: "请选择或创建一个房间。",

  leave: "离开",
  join: "重新加入",
  members: "成员",
  close: "关闭",
  membersHint: "您在这里之后加入或发言的人。房间里可能还有其他没有发言的人。",
  you: "您",
  messages: ({ room }) => `${room} 的消息`,
  earlier: "更早的消息",
  latest: "到最新消息",
  beginning: "这是现存的第一条消息。",
  gap: ({ n }) => `${n} 条消息不在这里`,
  gapUnknown: "有些消息不在这里",
  newMessages: "新消息",
  joined: ({ names }) => `${names} 加入了`,
  left: ({ names }) => `${names} 离开了`,
  andMore: ({ names, n }) => `${names} 等，另有 ${n} 人，`,
  write: ({ room }) => `发送到 ${room} 的消息`,
  writeShort: "消息",
  send: "发送",
  sending: "正在发送…",
  sent: "已发送",
  failed: ({ why }) => `未发送：${why}`,
  retry: "重试",
  discard: "放弃",
  showAll: "显示全部",
  showLess: "收起",
  joining: "正在加入…",
  notIn: ({ why }) => `您不在这个房间里：${why}`,
  interrupted: "收到答复之前页面已关闭",

  refusals: {
    "user exist": "这个名字或号码已有账号。",
    "password wrong": "密码错误。",
    "user not exist": "房间里没有这个用户，或没有这个账号。",
    "invalid user_tel": "这不是电话号码。",
    "invalid user_name": "这个名字不能使用。",
    "invalid room_name": "房间不能用这个名字。",
    "invalid user_password": "这个密码不能使用。",
    "missing parameters": "有内容没有填写。",
    "chatroom already exist": "已有房间使用这个名字。",
    "not signed in": "这个名字属于某个账号，或不允许访客：请登录。",
    "not allowed": "房间太多了。",
    "room full": "房间已满。",
    "full room": "房间已满。",
    "room not exist": "房间已不存在。",
    "slow down": "太快了，请稍后再试。",
    "server busy": "服务器繁忙，请稍后再试。",
    "server error": "服务器出现故障，请稍后再试。",
    "outcome unknown": "服务器不知道是否已完成。",
    "illegal data": "文字太长，或名字不能使用。",
    "key reused": "这条消息已用别的文字发送过。",
    unreachable: "无法连接服务器。",
  },
};

const LANGUAGES = { en: EN, zh: ZH };

let language = "en";

/** Speaks this language from now on, or else English. */
export function speak(wanted) {
  language = wanted in LANGUAGES ? wanted : "en";
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
}

export function spoken() {
  return language;
}

/** The text of this key, with these values in it. */
export function t(key, values = {}) {
  const text = LANGUAGES[language][key];
  return typeof text === "function" ? text(values) : text;
}

/** A refusal of the dialect in words; its code where there are none. */
export function refusal(code) {
  return LANGUAGES[language].refusals[code] ?? (code === "interrupted" ? t("interrupted") : code);
}

/** Fills in the texts of every element that names one. */
export function translate(root) {
  const fill = (attribute, set) => {
    for (const element of root.querySelectorAll(`[${attribute}]`)) set(element, t(element.getAttribute(attribute)));
  };
  fill("data-t", (element, text) => (element.textContent = text));
  fill("data-t-label", (element, text) => element.setAttribute("aria-label", text));
  fill("data-t-placeholder", (element, text) => element.setAttribute("placeholder", text));
}
