# Runs inside of gdb: steps through the example's programs, and at every instruction of theirs walks the stack, which must end in main.
# Prints "instructions N failures M".
import gdb

FUNCTIONS = ["entry_prog", "leaf_prog", "hop_prog", "bare_prog", "sub_prog", "sub_tail", "global_sub", "global_sub.inner", "atomic_prog"]
VISITS = 4  # of each function


def names():
    frame = gdb.newest_frame()
    found = []
    while frame is not None:
        found.append(frame.name())
        frame = frame.older()
    return found


def registers_of(function):
    """r14..r31 and r1 as the frame outside of the programs has them."""
    frame = gdb.newest_frame()
    while frame is not None and frame.name() != function:
        frame = frame.older()
    return frame and [int(frame.read_register("r%d" % n)) for n in [1] + list(range(14, 32))]


gdb.execute("set pagination off")
gdb.execute("set confirm off")
gdb.execute("target remote " + socket_path)
breakpoints = [gdb.Breakpoint("*'%s'" % function) for function in FUNCTIONS]

seen = {}
failures = 0
while True:
    for breakpoint in breakpoints:
        breakpoint.enabled = breakpoint.hit_count < VISITS
    gdb.execute("continue", to_string=True)
    if not gdb.selected_inferior().threads():
        break
    outside = next((name for name in names() if name not in FUNCTIONS), None)
    expected = registers_of(outside)
    for step in range(200):
        frame = gdb.newest_frame()
        if frame.name() not in FUNCTIONS:
            if frame.older() is None or frame.older().name() not in FUNCTIONS:
                break
            gdb.execute("finish", to_string=True)
            continue
        walked = names()
        good = walked.count("main") == 1 and registers_of(outside) == expected
        if not good and seen.get(frame.pc()) != "bad":
            failures += 1
            print("at %#x in %s: %s" % (frame.pc(), frame.name(), walked))
            gdb.execute("info frame")
        seen[frame.pc()] = "good" if good else "bad"
        gdb.execute("stepi", to_string=True)
print("instructions %d failures %d" % (len(seen), failures))
if gdb.selected_inferior().threads():
    gdb.execute("kill")
