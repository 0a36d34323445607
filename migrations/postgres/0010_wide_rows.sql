-- Rows of a few KiB stay in their page as they are. Compressing each, and moving it out, is most of what inserting them costs;
-- what is larger than a page still moves out.
ALTER TABLE webhooks SET (toast_tuple_target = 8160);
ALTER TABLE messages SET (toast_tuple_target = 8160);
ALTER TABLE events SET (toast_tuple_target = 8160);
