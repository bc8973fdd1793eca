DROP TABLE device_drops;
DROP TABLE devices;
DROP TABLE tokens;
DROP TABLE organisations;
