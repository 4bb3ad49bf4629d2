# Read by the image's entry point when the data folder is new: a role that owns one database and nothing else.
psql -v ON_ERROR_STOP=1 --username postgres --no-password --no-psqlrc --quiet -v password="$(cat /run/secrets/database-password)" <<'SQL'
create role gatehouse login password :'password';
create database gatehouse owner gatehouse;
SQL
