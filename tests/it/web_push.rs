//! WEB_PUSH with what pushes really meet: a strict stand-in of a push service, a browser's decryption by http_ece, and Chromium with the site of
//! a shop, a desktop that shows notifications, and somebody who presses them.

mod browsers;
mod door;
mod sending;
mod shop;
