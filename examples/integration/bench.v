// A bench in Verilog: loads a network into a fabric with plain streams, sends the events of
// `spikeloom words`, prints the spikes and compares every packet with the golden model's.
`include "words.vh"

module bench;
  reg clk = 0;
  always #5 clk = ~clk;

  reg [`LOAD_WIDTH-1:0] load_words [0:`LOAD_WORDS-1];
  reg [`HOST_IN_WIDTH-1:0] events [0:`HOST_IN_WORDS-1];
  reg [`HOST_OUT_WIDTH-1:0] expected [0:`HOST_OUT_WORDS-1];
  initial begin
    $readmemh("load.hex", load_words);
    $readmemh("host_in.hex", events);
    $readmemh("host_out.hex", expected);
  end

  reg rst = 1;
  reg load_valid = 0, event_valid = 0;
  reg [`LOAD_WIDTH-1:0] load_word;
  reg [`HOST_IN_WIDTH-1:0] event_word;
  wire event_ready, packet_valid;
  wire [`HOST_OUT_WIDTH-1:0] packet;
  spikeloom_fabric fabric (
    .clk(clk), .rst(rst),
    .load__payload(load_word), .load__valid(load_valid), .load__ready(),
    .host_in__payload(event_word), .host_in__valid(event_valid), .host_in__ready(event_ready),
    .host_out__payload(packet), .host_out__valid(packet_valid), .host_out__ready(1'b1),
    .counters()
  );

  // Inputs change on the falling edge, so that nothing depends on the order of processes.
  integer loaded, sent;
  initial begin
    repeat (2) @(negedge clk);
    rst = 0;
    for (loaded = 0; loaded < `LOAD_WORDS; loaded = loaded + 1) begin
      load_word = load_words[loaded];
      load_valid = 1;
      @(negedge clk);
    end
    load_valid = 0;
    for (sent = 0; sent < `HOST_IN_WORDS; sent = sent + 1) begin
      event_word = events[sent];
      event_valid = 1;
      #1;
      while (!event_ready) begin
        @(negedge clk);
        #1;
      end
      @(negedge clk);
    end
    event_valid = 0;
  end

  // Within a step, tiles of a mesh may answer in another order.
  integer heard = 0, first = 0, step = 0, spikes = 0, wrong = 0, n;
  reg [`HOST_OUT_WORDS-1:0] matched = 0;
  reg found;
  always @(posedge clk) if (packet_valid && !rst) begin
    found = 0;
    for (n = first; n < `HOST_OUT_WORDS && !found; n = n + 1)
      if (!matched[n] && expected[n] == packet) begin
        matched[n] = 1;
        found = 1;
      end else if (expected[n][`HOST_OUT_KIND] == `KIND_STEP) n = `HOST_OUT_WORDS;
    if (!found) begin
      wrong = wrong + 1;
      $display("step %0d: packet %h is not the golden model's", step, packet);
    end
    if (packet[`HOST_OUT_KIND] == `KIND_SPIKE) begin
      spikes = spikes + 1;
      $display("step %0d: population %0d, neuron %0d", step, packet[`HOST_OUT_POPULATION],
               packet[`HOST_OUT_INDEX]);
    end
    heard = heard + 1;
    if (packet[`HOST_OUT_KIND] == `KIND_STEP) begin
      step = step + 1;
      first = heard;
    end
    if (heard == `HOST_OUT_WORDS) begin
      if (wrong == 0) $display("PASS: %0d spikes in %0d steps", spikes, step);
      else $display("FAIL: %0d packets differ", wrong);
      $finish;
    end
  end

  initial begin
    #100000000 $display("FAIL: %0d of %0d packets came", heard, `HOST_OUT_WORDS);
    $finish;
  end
endmodule
