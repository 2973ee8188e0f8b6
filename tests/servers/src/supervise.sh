# Runs one server and ends it when nobody uses it any more, in whatever way its users ended: each of them holds a shared
# lock on USERS (flock(2)), and the system frees it with the process.
#
#   sh supervise.sh DIR USERS START WHERE GRACE SIGNAL COMMAND...
#
# DIR     the server's own; its process id is written to DIR/pid, what it says to DIR/log. Removed at the end.
# START   locked by whoever looks for the server or starts it, so that none finds it in the moment of its end.
# WHERE   the file that tells users where the server is; removed before the server ends.
# GRACE   seconds without a user before it ends. 0: one owner, who may want to start the server again after a crash, so that
#         DIR stays while the owner does.
# SIGNAL  ends the server at once.
set -u
dir=$1 users=$2 start=$3 where=$4 grace=$5 signal=$6
shift 6

"$@" </dev/null >>"$dir/log" 2>&1 &
server=$!
echo "$server" >"$dir/pid.new" && mv "$dir/pid.new" "$dir/pid"

# Users touch USERS when they come: short tests leave gaps between them.
idle() { [ $(($(date +%s) - $(stat -c %Y "$users"))) -ge "$grace" ]; }

watch() {
    waiting=
    trap 'kill $waiting; exit' TERM
    while :; do
        # In the background, since a trap waits for what runs in the foreground.
        flock "$users" true & waiting=$!
        wait "$waiting"
        sleep "$grace" & waiting=$!
        wait "$waiting"
        idle && flock "$start" flock --nonblock "$users" rm -f "$where" && break
    done
    kill -s "$signal" "$server"
}
watch &
watcher=$!

wait "$server"
kill "$watcher" 2>/dev/null
if [ "$grace" != 0 ] || flock --nonblock "$users" true; then rm -rf "$dir"; fi
