# The plots of the page, from the figures beside them. Run by bench.sh in the report's directory, with `experiment` set.
set terminal svg size 720,400 dynamic font 'sans-serif,13' background '#ffffff' linewidth 1.2
set grid lc rgb '#dddddd' lt 1
set border 3 lc rgb '#555555'
set tics nomirror
set key outside right top Left reverse samplen 2

red = '#c0392b'; orange = '#e08e0b'; green = '#27823f'; blue = '#1f5fa8'; violet = '#7d3c98'; gray = '#555555'
array color[6] = [gray, red, orange, violet, blue, green]

set output experiment.'.svg'
if (experiment eq 'spread') {
  set title '4,000 connections, one at a time, and 8 idle workers'
  set xlabel 'workers, the one with the fewest first'
  set ylabel '% of the connections'
  set yrange [0:*]
  set xtics 1
  set xrange [0.8:8.2]
  plot for [i = 1:6] 'spread.series' index i - 1 using 1:2 with linespoints pt 7 ps 0.6 lw 2 lc rgb color[i] title columnheader(1)
}
if (experiment eq 'herd') {
  set title 'One connection at a time'
  set xlabel 'workers that wait for it'
  set ylabel "workers' CPU for a connection, µs"
  set logscale xy
  set xtics (4, 16, 64, 256)
  set xrange [3.5:300]
  array shown[6] = [0, 3, 6, 9, 10, 11]
  plot for [i = 1:6] 'herd.series' index shown[i] using 1:2:3:4 with yerrorlines pt 7 ps 0.6 lw 2 lc rgb color[i] title columnheader(1)
}
if (experiment eq 'cost') {
  set multiplot layout 2, 1
  set logscale xy
  set xtics (2, 4, 16, 64, 128, 256)
  set xrange [1.8:300]
  set ylabel "workers' CPU, µs"
  set title 'One connection at a time'
  plot for [i = 1:5] 'cost.series' index i - 1 using 1:2:3:4 with yerrorlines pt 7 ps 0.5 lw 2 lc rgb color[i + 1] title columnheader(1)
  set title '128 connections at once'
  set xlabel 'workers'
  plot for [i = 1:5] 'cost_all.series' index i - 1 using 1:2:3:4 with yerrorlines pt 7 ps 0.5 lw 2 lc rgb color[i + 1] title columnheader(1)
  unset multiplot
}
